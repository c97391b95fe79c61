"""Control: the matrix notices each policy that is dropped and each that is loosened.

The policies are changed in a transaction of the owner's that is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings

from pingvas.core.db.roles import WEB
from tests.core.row_security_probe import Matrix, Stage
from tests.core.row_security_tables import INSERT, PRIVATE, UPDATE, may, verbs_of
from tests.core.row_security_world import World, a_world
from tests.database import admin_connection


@pytest.fixture(scope="module")
def world(django_db_setup: Any) -> Iterator[World]:
    with a_world() as world:
        yield world


@pytest.fixture
def admin(world: World) -> Iterator[Any]:
    with admin_connection() as connection:
        connection.autocommit = False
        yield connection
        connection.rollback()


def policies(connection: Any, table: str, role: str = "%") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = connection.execute(
        """SELECT policyname::text, cmd FROM pg_policies
           WHERE schemaname = %s AND tablename = %s AND roles::text LIKE %s""",
        [settings.DB_SCHEMA, table, f"%{role}%"],
    ).fetchall()
    return rows


def violations(connection: Any, world: World, table: str) -> list[str]:
    app, readonly = Stage(connection, "app_user"), Stage(connection, "readonly_user")
    return Matrix(world, table, app, readonly).violations()


@contextmanager
def changed(connection: Any, statement: str) -> Iterator[None]:
    connection.execute("SAVEPOINT changed; SET LOCAL ROLE pingvas_owner")
    connection.execute(statement)
    connection.execute("RESET ROLE")
    yield
    connection.execute("ROLLBACK TO changed; RELEASE changed")


@pytest.mark.parametrize("table", PRIVATE)
def test_the_matrix_notices_every_policy_that_is_dropped(world, admin, table):
    assert violations(admin, world, table) == []
    for name, _ in policies(admin, table):
        with changed(admin, f"DROP POLICY {name} ON {table}"):
            assert violations(admin, world, table), name


@pytest.mark.parametrize("table", PRIVATE)
def test_the_matrix_notices_every_policy_that_lets_all_rows_through(
    world, admin, table
):
    for name, verb in policies(admin, table, "app_user"):
        if verb != INSERT:
            with changed(admin, f"ALTER POLICY {name} ON {table} USING (true)"):
                assert violations(admin, world, table), name


@pytest.mark.parametrize("table", PRIVATE)
def test_the_matrix_notices_every_reference_that_is_no_longer_checked(
    world, admin, table
):
    for name, verb in policies(admin, table, "app_user"):
        if verb in (INSERT, UPDATE):
            with changed(admin, f"ALTER POLICY {name} ON {table} WITH CHECK (true)"):
                found = "\n".join(violations(admin, world, table))
            for column in PRIVATE[table].references:
                if may(WEB, verb, table, column):
                    assert f"{verb} {column} " in found, name


@pytest.mark.parametrize("table", [table for table in PRIVATE if verbs_of(WEB, table)])
def test_the_matrix_notices_a_table_whose_security_is_off(world, admin, table):
    with changed(admin, f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"):
        assert violations(admin, world, table)
