"""Rows and connections for tests that speak to PostgreSQL without Django."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from psycopg import sql

from pingvas.core.db.roles import ACTOR_ROLES
from tests.database import admin_connection, app_connection, owner_connection

# Those that may write the ledger, by right or by power.
ROLES = ("service_user", "owner", "superuser")


@contextmanager
def connected(role: str, user_id: UUID | None = None) -> Iterator[Any]:
    """A connection as `role`, whose transaction commits when the block ends well."""
    opened = {"owner": owner_connection, "superuser": admin_connection}
    with opened.get(role, app_connection)() as connection, connection.transaction():
        if role in ACTOR_ROLES:
            connection.execute(
                sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))
            )
        if user_id is not None:
            connection.execute(f"SET LOCAL app.current_user_id = '{user_id}'")
        yield connection


@contextmanager
def everybody_may_create() -> Iterator[None]:
    """What earlier versions let everybody do: the walls behind have to hold as well."""
    with admin_connection() as admin:
        name = admin.execute("SELECT current_database()").fetchone()[0]
        rights = (
            f"CREATE ON SCHEMA {settings.DB_SCHEMA}",
            f"TEMPORARY ON DATABASE {name}",
            "USAGE ON LANGUAGE plpgsql, sql",
        )
        for right in rights:
            admin.execute(f"GRANT {right} TO PUBLIC")
        try:
            yield
        finally:
            for right in rights:
                admin.execute(f"REVOKE {right} FROM PUBLIC")


def insert_user(connection: Any, name: str) -> UUID:
    return _returned(
        connection,
        "INSERT INTO users (email, is_superuser) VALUES (%s, false) RETURNING id",
        [f"{name}@example.com"],
    )


def insert_job(connection: Any, user_id: UUID, credits: int | None = None) -> UUID:
    return _returned(
        connection,
        "INSERT INTO generation_jobs"
        " (user_id, tier, prompt, model, width, height, credits_consumed)"
        " VALUES (%s, 'free', 'a harbour', 'starter', 64, 64, %s) RETURNING id",
        [user_id, credits],
    )


def insert_image(connection: Any, user_id: UUID, job_id: UUID | None = None) -> UUID:
    return _returned(
        connection,
        "INSERT INTO images (user_id, job_id, s3_bucket, s3_key, width, height,"
        " file_size) VALUES (%s, %s, 'pictures', 'key', 64, 64, 1) RETURNING id",
        [user_id, job_id],
    )


def insert_subscription(connection: Any, user_id: UUID) -> UUID:
    return _returned(
        connection,
        "INSERT INTO subscriptions (user_id, lemon_squeezy_id, tier, status,"
        " current_period_start, current_period_end)"
        " VALUES (%s, %s, 'pro', 'active', now(), now() + interval '1 month')"
        " RETURNING id",
        [user_id, str(uuid4())],
    )


@dataclass(frozen=True)
class Posting:
    """A ledger row to insert."""

    sequence: int
    amount: int
    balance_after: int
    type: str = "admin_adjustment"
    job_id: UUID | None = None
    subscription_id: UUID | None = None


def post(connection: Any, user_id: UUID, posting: Posting) -> None:
    connection.execute(
        "INSERT INTO credit_transactions (user_id, sequence, amount, balance_after,"
        " type, job_id, subscription_id, idempotency_key)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [user_id, *vars(posting).values(), str(uuid4())],
    )


def set_balance(connection: Any, user_id: UUID, balance: int) -> None:
    connection.execute(
        "INSERT INTO credit_balances (user_id, balance) VALUES (%s, %s)"
        " ON CONFLICT (user_id) DO UPDATE SET balance = excluded.balance",
        [user_id, balance],
    )


def _returned(connection: Any, statement: str, values: list[Any]) -> UUID:
    value: UUID = connection.execute(statement, values).fetchone()[0]
    return value
