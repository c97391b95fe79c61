"""Fills tables by the thousand: rows as the services leave them, made in SQL.

Rows are numbered. The number is the end of every id of the row's family, so that a
script in another language finds them too: user N has balance N, job N, hold N.
"""

from __future__ import annotations

import os
import time
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connections

from billing.ledger_hash import row_hash_sql
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.events import newest_sequence
from pingvas.core.redis import event_counter, redis_client

# Twelve digits, so that no number needs padding.
FIRST = 100_000_000_000
CREDITS = 100_000
HOLD = 5

_TABLES = """
users, credit_balances, credit_transactions, credit_holds, queue_shares, generation_jobs
"""
_USERS = """
INSERT INTO users (id, email, tier, is_superuser)
SELECT {id}, 'user-' || n || '@example.com', %(tier)s, false FROM numbers;
"""
_CREDITS = """
INSERT INTO credit_balances (id, user_id, balance)
SELECT {id}, {id}, %(credits)s FROM numbers;
"""
_GRANTS = """
INSERT INTO credit_transactions (
    id, user_id, amount, type, balance_after, idempotency_key, sequence, created_at,
    row_hash
)
SELECT posting.*, {sealed} FROM (
    SELECT {id} AS id, {id} AS user_id, %(credits)s AS amount,
        'admin_adjustment' AS type, %(credits)s AS balance_after,
        'grant:' || n AS idempotency_key, 1::bigint AS sequence, now() AS created_at
    FROM numbers
) AS posting;
"""
_SHARES = """
INSERT INTO queue_shares (user_id, tier, running_limit, running)
SELECT {id}, %(tier)s, 16, %(running)s FROM numbers;
"""
_RUNNING_JOBS = """
INSERT INTO generation_jobs (
    id, user_id, tier, priority, status, prompt, model, width, height, quoted_credits,
    queued_at, started_at, attempt, worker_id, lease_expires_at, deadline_at
)
SELECT {id}, {id}, %(tier)s, 75, 'in_progress', 'a star', 'starter', 128, 128, %(hold)s,
    now(), now(), 1, {id}, now() + interval '1 day', now() + interval '1 day'
FROM numbers;
"""
_HOLDS = """
INSERT INTO credit_holds (id, user_id, job_id, kind, amount)
SELECT {id}, {id}, {id}, 'generation_usage', %(hold)s FROM numbers;
"""
_ID = "('00000000-0000-4000-8000-' || n)::uuid"


def numbered_id(number: int) -> UUID:
    """The id of every row with that number."""
    return UUID(f"00000000-0000-4000-8000-{number}")


def open_administrator() -> psycopg.Connection[Any]:
    """A connection to the run's database for which no trigger fires."""
    return psycopg.connect(
        os.environ["DATABASE_ADMIN_URL"],
        dbname=connections["default"].settings_dict["NAME"],
        options=f"-c search_path={settings.DB_SCHEMA},extensions"
        " -c session_replication_role=replica",
        autocommit=True,
        cursor_factory=psycopg.ClientCursor,
    )


def fill_users(
    admin: psycopg.Connection[Any], first: int, count: int, *, tier: str = "studio"
) -> None:
    """Users with credits, the ledger's posting that gave them, and event numbers."""
    _fill(admin, (_USERS, _CREDITS, _GRANTS), first, count, tier=tier)
    start_events(first, count)


def start_events(first: int, count: int) -> None:
    """Number the events of these users as if they had been told something before.

    The first event ever of each of thousands would measure how counters begin.
    """
    # Counters from before the server's scripts were loaded count as lost.
    newest_sequence(numbered_id(first))
    with redis_client().pipeline(transaction=False) as pipe:
        for number in range(first, first + count):
            pipe.set(event_counter(numbered_id(number)), time.time_ns() // 1000)
        pipe.execute()


def fill_running_jobs(
    admin: psycopg.Connection[Any], first: int, count: int, *, tier: str = "studio"
) -> None:
    """One running job with its hold for each of the users of those numbers."""
    statements = (_SHARES, _RUNNING_JOBS, _HOLDS)
    _fill(admin, statements, first, count, tier=tier, running=1)


def fill_shares(
    admin: psycopg.Connection[Any], first: int, count: int, *, tier: str = "studio"
) -> None:
    """Places in the queue for users who have no job."""
    _fill(admin, (_SHARES,), first, count, tier=tier, running=0)


def add_model(name: str = "starter", **columns: Any) -> None:
    """A model that everybody may use; without a checkpoint unless `columns` name it."""
    values = {"type": "main", "base_model": "sd15", "is_official": True, **columns}
    with acting_as(SERVICE):
        AIModel.objects.create(name=name, min_tier=None, **values)


def analyze(admin: psycopg.Connection[Any]) -> None:
    """Statistics as autovacuum would have them after a while."""
    admin.execute(f"VACUUM (ANALYZE) {_TABLES}")


def empty_tables(admin: psycopg.Connection[Any]) -> None:
    """Remove every user with all that is theirs, and every model; time starts anew."""
    admin.execute("TRUNCATE users, queue_shares, ai_models CASCADE")
    admin.execute("UPDATE queue_clock SET virtual_time = 0")


def _fill(
    admin: psycopg.Connection[Any],
    statements: tuple[str, ...],
    first: int,
    count: int,
    **values: Any,
) -> None:
    parameters = {"first": first, "last": first + count - 1, "credits": CREDITS}
    parameters |= {"hold": HOLD} | values
    numbers = "WITH numbers AS (SELECT generate_series(%(first)s, %(last)s) AS n)"
    for statement in statements:
        filled = statement.format(id=_ID, sealed=row_hash_sql("posting"))
        admin.execute(numbers + filled, parameters)
