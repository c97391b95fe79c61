"""The policies of every table whose rows are somebody's are those of `OwnRows`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from pingvas.core.db.own_rows import ALL, OwnRows, Reference
from tests.core.row_security_tables import PRIVATE
from tests.database import connect

# What was written out by hand before there was the operation, as it stands today.
BY_HAND = [
    OwnRows("users", user="id", may="SELECT, UPDATE"),
    OwnRows("subscriptions"),
    OwnRows("credit_balances"),
    OwnRows("credit_transactions"),
    OwnRows("credit_holds"),
    OwnRows("generation_jobs"),
    OwnRows("queue_shares", may=""),
    OwnRows("idempotency_keys", may=ALL, analysts=False),
    OwnRows("token_families", analysts=False, identity=True),
    OwnRows(
        "images",
        may="SELECT, UPDATE, DELETE",
        public="is_public = TRUE",
        refers=[Reference("job_id", "generation_jobs")],
    ),
    OwnRows(
        "boards",
        may=ALL,
        refers=[Reference("cover_image_id", "images", or_public=True)],
    ),
    OwnRows(
        "board_images",
        may=ALL,
        through=Reference("board_id", "boards", required=True),
        refers=[Reference("image_id", "images", or_public=True, required=True)],
    ),
    OwnRows(
        "workflows",
        may=ALL,
        public="is_public = TRUE",
        refers=[Reference("thumbnail_image_id", "images", or_public=True)],
    ),
    OwnRows(
        "adjustment_notes",
        through=Reference("transaction_id", "credit_transactions", required=True),
    ),
]
# Policies beside those: signing up makes nobody special.
BESIDE = ["users_identity_select", "users_identity_insert", "users_identity_update"]
NOT_OWN = {"ai_models": "an official model is the house's, whoever uploaded it"}

POLICIES = """
    SELECT policyname, cmd, roles::text, qual, with_check FROM pg_policies
    WHERE schemaname = %s AND tablename = %s AND NOT policyname = ANY(%s)
"""


def operations() -> dict[str, OwnRows]:
    """By table: those above, and what migrations made since."""
    # Sorted: the loader finds them in whatever order, and processes share the tests.
    migrations = sorted(MigrationLoader(None).disk_migrations.items())
    made = [
        operation
        for _, migration in migrations
        for operation in migration.operations
        if isinstance(operation, OwnRows)
    ]
    return {operation.table: operation for operation in [*BY_HAND, *made]}


OPERATIONS = operations()


@pytest.fixture
def administrator(django_db_setup: Any) -> Iterator[Any]:
    """In a transaction that is rolled back."""
    with connect("DATABASE_ADMIN_URL") as one:
        yield one
        one.rollback()


def policies(administrator: Any, table: str) -> set[Any]:
    found = administrator.execute(POLICIES, [settings.DB_SCHEMA, table, BESIDE])
    return {tuple(_by_its_name(str(part)) for part in row) for row in found}


def _by_its_name(expression: str) -> str:
    """One policy calls a table by another name."""
    plain = expression.replace("credit_transactions posting", "credit_transactions")
    return plain.replace("posting.", "credit_transactions.")


def test_every_table_of_somebodys_rows_has_an_operation():
    assert {*OPERATIONS, *NOT_OWN} == set(PRIVATE)


@pytest.mark.parametrize("table", OPERATIONS)
def test_the_policies_in_the_database_are_those_of_the_operation(administrator, table):
    theirs = policies(administrator, table)
    assert theirs
    for name, *_ in theirs:
        administrator.execute(f"DROP POLICY {name} ON {table}")
    for statement in OPERATIONS[table].sql:
        administrator.execute(statement)
    assert policies(administrator, table) == theirs


def test_the_operation_is_taken_back_whole(administrator):
    operation = OwnRows("letters", may=ALL, public="open", identity=True)
    administrator.execute("CREATE TABLE letters (user_id uuid, open boolean)")
    closed = "SELECT relrowsecurity FROM pg_class WHERE relname = 'letters'"
    for statement in operation.sql:
        administrator.execute(statement)
    assert administrator.execute(closed).fetchone() == (True,)
    assert len(policies(administrator, "letters")) == 8
    for statement in operation.reverse_sql:
        administrator.execute(statement)
    assert administrator.execute(closed).fetchone() == (False,)
    assert policies(administrator, "letters") == set()


def test_a_squashed_migration_keeps_the_operation():
    operation = OwnRows("letters", may="SELECT, DELETE")
    name, args, kwargs = operation.deconstruct()
    assert name == "OwnRows"
    assert OwnRows(*args, **kwargs).sql == operation.sql
