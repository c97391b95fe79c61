"""Row-level security, asked over real connections of the roles that live by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings

from pingvas.core.db.actor import IDENTITY as IDENTITY_ACTOR
from pingvas.core.db.actor import user_actor
from pingvas.core.db.roles import ANALYST, IDENTITY
from pingvas.rights import RIGHTS
from tests.core.row_security_probe import REFUSED, Matrix, Stage
from tests.core.row_security_tables import OPEN, PRIVATE, READ, VIEWS, verbs_of
from tests.core.row_security_world import World, a_world
from tests.database import admin_connection, app_connection, readonly_connection
from tests.private_tables import PRIVATE as GUARDED

ACTORS = ("service_user", "identity_user")


@pytest.fixture(scope="module")
def world(django_db_setup: Any) -> Iterator[World]:
    with a_world() as world:
        yield world


@pytest.fixture
def app(world: World) -> Iterator[Stage]:
    with app_connection() as connection:
        yield Stage(connection)
        connection.rollback()


@pytest.fixture
def readonly(world: World) -> Iterator[Stage]:
    with readonly_connection() as connection:
        connection.autocommit = False
        yield Stage(connection)
        connection.rollback()


@pytest.fixture
def catalogue(django_db_setup: Any) -> Iterator[Any]:
    with admin_connection() as connection:
        yield connection


def ask(connection: Any, query: str, *values: object) -> set[Any]:
    return {
        row[0] if len(row) == 1 else row for row in connection.execute(query, values)
    }


@pytest.mark.parametrize("table", PRIVATE)
def test_everybody_may_do_with_a_table_what_is_written_and_nothing_else(
    world, app, readonly, table
):
    assert Matrix(world, table, app, readonly).violations() == []


def test_every_table_and_view_of_the_schema_has_an_entry(catalogue):
    query = """SELECT relname FROM pg_class WHERE relkind = ANY(%s)
               AND relnamespace = %s::regnamespace"""
    tables = ask(catalogue, query, ["r", "p", "f"], settings.DB_SCHEMA)
    assert tables == {*PRIVATE, *OPEN}
    assert ask(catalogue, query, ["v", "m"], settings.DB_SCHEMA) == set(VIEWS)
    assert set(PRIVATE) == GUARDED


def test_every_reference_between_private_tables_has_an_entry(catalogue):
    found = ask(
        catalogue,
        """SELECT conrelid::regclass::text, attname::text
           FROM pg_constraint JOIN pg_attribute
             ON attrelid = conrelid AND attnum = ANY(conkey)
           WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)
             AND confrelid::regclass::text = ANY(%s)""",
        list(PRIVATE),
        list(PRIVATE),
    )
    declared = {
        (table, column) for table in PRIVATE for column in PRIVATE[table].references
    }
    assert found == declared


def test_private_tables_have_policies_that_their_owner_alone_is_free_of(catalogue):
    rows = ask(
        catalogue,
        """SELECT relname::text, relrowsecurity, relforcerowsecurity,
                  pg_get_userbyid(relowner)::text,
                  EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = pg_class.oid)
           FROM pg_class WHERE relname = ANY(%s)
             AND relnamespace = %s::regnamespace""",
        list(PRIVATE),
        settings.DB_SCHEMA,
    )
    assert rows == {(name, True, False, "pingvas_owner", True) for name in PRIVATE}


def test_app_user_owns_nothing_and_no_role_in_use_bypasses_policies(catalogue):
    owned = ask(
        catalogue, "SELECT relname FROM pg_class WHERE relowner = 'app_user'::regrole"
    )
    assert owned == set()
    free = ask(catalogue, "SELECT rolname FROM pg_roles WHERE rolbypassrls OR rolsuper")
    assert not free & {"app_user", "readonly_user", "pingvas_owner", *ACTORS}


def test_every_policy_names_the_roles_that_it_is_for(catalogue):
    """One for PUBLIC would be OR-ed with those of every actor."""
    roles = ask(
        catalogue,
        "SELECT unnest(roles)::text FROM pg_policies WHERE schemaname = %s",
        settings.DB_SCHEMA,
    )
    assert roles == {"app_user", "readonly_user", *ACTORS}


def test_security_definer_functions_pin_their_search_path(catalogue):
    loose = ask(
        catalogue,
        """SELECT proname FROM pg_proc
           WHERE prosecdef AND pronamespace = %s::regnamespace
             AND NOT coalesce(array_to_string(proconfig, ' '), '')
                 LIKE '%%search_path=%%'""",
        settings.DB_SCHEMA,
    )
    assert loose == set()


def test_the_identity_actor_has_rights_on_what_signing_in_takes_alone():
    reached = {table for table, roles in RIGHTS.items() if IDENTITY in roles}
    assert reached == {"users", "token_families", "django_session"}


def test_analysts_may_only_read():
    verbs = {verb for table in RIGHTS for verb in verbs_of(ANALYST, table)}
    assert verbs == {READ}


@pytest.mark.parametrize(
    "values",
    [{"is_staff": True}, {"is_superuser": True}, {"tier": "pro"}],
    ids=["staff", "superuser", "tier"],
)
def test_signing_up_makes_nobody_more_than_a_user(world, app, values):
    row = PRIVATE["users"].row(world.carol) | values
    assert app.insert(IDENTITY_ACTOR, "users", row) == REFUSED


@pytest.mark.parametrize("column", ["tier", "is_staff", "is_superuser"])
def test_nobody_makes_themselves_more(world, app, column):
    for actor in (user_actor(world.alice.id), IDENTITY_ACTOR):
        statement = f"UPDATE users SET {column} = {column}"  # noqa: S608  # our names
        assert app.count(actor, statement) == REFUSED


@pytest.mark.parametrize("column", ["password_hash", "token_version", "email"])
def test_a_user_changes_no_proof_of_who_they_are(world, app, column):
    statement = f"UPDATE users SET {column} = {column}"  # noqa: S608  # our names
    assert app.count(user_actor(world.alice.id), statement) == REFUSED


@pytest.mark.parametrize("role", ACTORS)
def test_an_actor_role_is_had_by_set_role_alone(app, readonly, catalogue, role):
    rights = ask(
        catalogue,
        """SELECT pg_has_role('app_user', %s, 'USAGE'),
                  pg_has_role('app_user', %s, 'SET'), rolcanlogin
           FROM pg_roles WHERE rolname = %s""",
        role,
        role,
        role,
    )
    assert rights == {(False, True, False)}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        readonly.connection.execute(f"SET LOCAL ROLE {role}")


@pytest.mark.parametrize("role", ["pingvas_owner", "readonly_user", "postgres"])
def test_app_user_may_take_no_other_role(app, role):
    with pytest.raises(psycopg.Error, match=r"permission denied|does not exist"):
        app.connection.execute(f"SET LOCAL ROLE {role}")
