"""Pictures are found by their indexes, under row security, however many there are."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gallery.selectors import gallery_of, keys_with_rows
from pingvas.core.api.pagination import KeyPagination
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.cast import make_user
from tests.database import admin_connection

MANY = 5_000


@pytest.fixture
def alice(transactional_db):
    """A user with many pictures among those of others."""
    people = [make_user(name) for name in ("alice", "bob", "carol")]
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        for user in people:
            admin.execute(
                "INSERT INTO images (user_id, job_id, s3_bucket, s3_key, width, "
                "height, file_size, created_at, origin) SELECT %s, gen_random_uuid(), "
                "'local', 'images/' || %s || '/' || n, 64, 64, 1, "
                "now() - n * interval '1 minute', "
                # The newest are masks, all of them.
                "CASE WHEN n < 2000 THEN 'mask' ELSE 'generated' END "
                "FROM generate_series(1, %s) n",
                [user.id, str(user.id), MANY],
            )
        admin.execute(f"ANALYZE {settings.DB_SCHEMA}.images")
    return people[0]


def test_a_page_of_pictures_is_read_in_order_and_never_sorted(alice):
    with acting_as(user_actor(alice.id)):
        plan = gallery_of(alice).order_by(*KeyPagination.order)[:21].explain()
    assert "idx_images_user_shown" in plan
    assert "Sort" not in plan


def test_the_orphan_sweep_never_reads_every_row(alice):
    keys = {f"images/{alice.id}/{uuid4()}/{number}.png" for number in range(1000)}
    with acting_as(SERVICE):
        # The first statement of a transaction has BEGIN before it.
        explain("SELECT 1")
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert keys_with_rows(keys) == set()
        statements = [each["sql"] for each in asked if "s3_key" in each["sql"]]
        plans = [explain(statement) for statement in statements]
    assert len(plans) == 2
    assert not any("Seq Scan" in plan for plan in plans)


def explain(statement):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        return "\n".join(row[0] for row in cursor.fetchall())
