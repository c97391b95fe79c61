"""With 200,000 jobs waiting, a claim still reads a handful of rows, by indexes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from accounts.tiers import Tier
from generation.lanes import Lane
from generation.models import GenerationJob
from generation.services import dependencies, queue, schedule
from generation.services.schedule import WARM_LOOKAHEAD
from generation.services.sweep import SWEEP_LIMIT
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.statements import Bound
from tests.concurrency.queue_world import claim, offer
from tests.database import admin_connection

pytestmark = pytest.mark.django_db(transaction=True)

USERS = 400
JOBS_EACH = 500

_FILL = """
    SET session_replication_role = replica;
    INSERT INTO generation_jobs
        (user_id, tier, priority, status, prompt, model, width, height, created_at)
    SELECT u.id, u.tier, 10, 'queued', 'a star', 'starter', 64, 64,
           now() - n * interval '10 ms'
    FROM users u, generate_series(1, %s) n;
    INSERT INTO queue_shares (user_id, tier, running_limit, claimable, waiting_since,
                              virtual_start, virtual_finish)
    SELECT id, tier, 16, true, now(), random(), 1 + random() FROM users;
    ANALYZE users, generation_jobs, queue_shares, queue_clock
"""


@pytest.fixture
def crowd():
    tiers = list(Tier)
    with acting_as(SERVICE):
        User.objects.bulk_create(
            User(email=f"user{n}@example.com", tier=tiers[n % len(tiers)])
            for n in range(USERS)
        )
    with admin_connection() as admin:
        for statement in _FILL.split(";"):
            admin.execute(statement, [JOBS_EACH] if "%s" in statement else None)


def explain(statement: Bound) -> list[dict[str, Any]]:
    """The plan's nodes as they ran, as the service; what it did is taken back."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}", statement.values
        )
        plan = cursor.fetchone()[0]
        transaction.set_rollback(True)
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return list(walk(plan[0]["Plan"]))


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


def scans(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tables = ("generation_jobs", "queue_shares")
    return [
        node
        for node in nodes
        if node.get("Relation Name") in tables and "Scan" in node["Node Type"]
    ]


def rows_read(node: dict[str, Any]) -> float:
    removed = node.get("Rows Removed by Filter", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def statements() -> Iterator[tuple[Bound, set[str]]]:
    """What a claim asks, and the indexes that must answer."""
    with admin_connection() as admin:
        user, job = admin.execute(
            "SELECT user_id, id FROM generation_jobs LIMIT 1"
        ).fetchone()
    parent = GenerationJob(id=job, user_id=user)
    yield (
        schedule.claim_of(offer()),
        {
            "idx_queue_shares_order",
            "idx_generation_jobs_gpu_next",
            "idx_generation_jobs_gpu_longest",
            "generation_jobs_batch_id_batch_index_key",
        },
    )
    yield (
        queue.refresh(user, used=1.0),
        {"queue_shares_pkey", "idx_generation_jobs_gpu_next"},
    )
    yield (
        schedule._ADVANCES[Lane.GPU].bind(finish=1.0, served=1.0),
        {"idx_queue_shares_present"},
    )
    # Nobody waits for another, and that costs one look.
    for statement in (
        dependencies.count_again(parent),
        dependencies.descendants(parent),
        dependencies._WRONGLY_COUNTED.bind(most=SWEEP_LIMIT),
    ):
        yield statement, {"idx_generation_jobs_children"}


def test_a_claim_among_200_000_jobs_reads_a_handful_of_rows(crowd):
    for statement, indexes in statements():
        found = scans(explain(statement))
        names = {node.get("Index Name") for node in found}
        assert "Seq Scan" not in {node["Node Type"] for node in found}, statement.text
        assert indexes <= names
        assert all(rows_read(node) <= WARM_LOOKAHEAD for node in found)
    assert len(claim()) == 1
    assert len(claim(tiers=[Tier.FREE])) == 1
