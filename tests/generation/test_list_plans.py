"""Lists are read from their indexes, under row security, however long they are."""

from __future__ import annotations

import pytest
from django.conf import settings

from generation.models import JobStatus
from generation.selectors import jobs_of
from pingvas.core.db.actor import acting_as, user_actor
from tests.cast import make_user
from tests.database import admin_connection

MANY = 5_000


@pytest.fixture
def alice(transactional_db):
    """A user with many ended jobs among those of others."""
    people = [make_user(name) for name in ("alice", "bob", "carol")]
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        for user in people:
            admin.execute(
                "INSERT INTO generation_jobs (user_id, tier, prompt, model, width, "
                "height, status, created_at) SELECT %s, 'free', 'x', 'm', 64, 64, "
                "CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'completed' END, "
                "now() - n * interval '1 minute' FROM generate_series(1, %s) n",
                [user.id, MANY],
            )
        admin.execute(f"ANALYZE {settings.DB_SCHEMA}.generation_jobs")
    return people[0]


def test_a_list_by_status_uses_the_specified_index(alice):
    with acting_as(user_actor(alice.id)):
        page = jobs_of(alice.id).filter(status=JobStatus.FAILED)[:20]
        plan = page.explain()
        assert len(page) == 20
    assert "idx_generation_jobs_user_status" in plan
    assert "Seq Scan" not in plan


def test_the_whole_list_is_read_in_order_and_never_sorted(alice):
    with acting_as(user_actor(alice.id)):
        plan = jobs_of(alice.id)[:20].explain()
    assert "idx_generation_jobs_user_newest" in plan
    assert "Sort" not in plan
