"""The catalogs against the list of rights: table by column by role by verb."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from pingvas.core.db.ownership import SAFE_PATH
from pingvas.core.db.rights import Right, given_rights, listed_rights
from pingvas.core.db.roles import ROLES
from pingvas.core.db.safe_connection import safe_connection
from pingvas.rights import RIGHTS
from tests.contracts.catalog import Catalog, Thing
from tests.contracts.people import connected
from tests.contracts.scratch import catalog_of, roles_to_ourselves
from tests.database import (
    admin_connection,
    app_connection,
    readonly_connection,
    worker_connection,
)

WRITE = {"INSERT", "UPDATE", "DELETE"}
STRAY = (
    "GRANT UPDATE, DELETE, TRUNCATE ON credit_transactions TO app_user, service_user;"
    "GRANT UPDATE (tier) ON users TO app_user;"
    "GRANT UPDATE ON users TO identity_user;"
    "GRANT SELECT ON users TO readonly_user;"
    "GRANT SELECT ON user_stats TO app_user;"
    "GRANT SELECT ON django_session TO PUBLIC;"
    "GRANT EXECUTE ON FUNCTION check_ledger_chain() TO app_user"
)


def _provision() -> str:
    out = StringIO()
    with roles_to_ourselves():
        call_command("provision_database", stdout=out)
    return out.getvalue()


def _migrate() -> None:
    with roles_to_ourselves():
        call_command("migrate", verbosity=0)
    connections["owner"].close()


def _catalog() -> Catalog:
    return catalog_of(connections["default"].settings_dict["NAME"])


def _given() -> set[Right]:
    with safe_connection("owner") as owner:
        return given_rights(owner, settings.DB_SCHEMA)


@pytest.fixture(autouse=True)
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Every test here asks the catalogs, or runs a command that Django connects."""
    with django_db_blocker.unblock():
        yield


def test_every_role_has_exactly_the_listed_rights_on_every_table_and_column():
    assert _given() == listed_rights(RIGHTS)


def test_every_table_is_listed_and_every_listed_one_exists():
    with admin_connection() as admin:
        rows = admin.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND relnamespace = current_schema()::regnamespace"
        ).fetchall()
    assert {row[0] for row in rows} == set(RIGHTS)


def test_no_function_of_ours_is_anybodys_to_call():
    with admin_connection() as admin:
        rows = admin.execute(
            "SELECT proname, role FROM pg_proc, unnest(%s::text[]) AS role"
            " WHERE pronamespace = current_schema()::regnamespace"
            " AND has_function_privilege(role, pg_proc.oid, 'EXECUTE')",
            [[role for role in ROLES if role != "pingvas_owner"]],
        ).fetchall()
    assert rows == []


def test_a_new_table_without_a_line_stops_migrate_and_is_closed_to_everybody():
    with connected("owner") as owner:
        owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY)")
    try:
        with pytest.raises(CommandError, match=r"later.*pingvas/rights\.py"):
            _migrate()
        with pytest.raises(CommandError, match="later"):
            _provision()
        grants = [right for right in _given() if right.table.startswith("later")]
    finally:
        with connected("owner") as owner:
            owner.execute("DROP TABLE later")
    assert grants == []


def test_a_second_run_says_what_it_did_and_changes_nothing():
    before = _catalog()
    said = _provision()
    assert _catalog() == before
    assert f"database {connections['default'].settings_dict['NAME']} is there" in said
    assert "schema dev_pingvas" in said
    assert "rights in dev_pingvas: 0 changes" in said


def test_what_earlier_versions_gave_in_both_schemas_is_taken_back():
    with admin_connection() as admin:
        for schema in ("dev_pingvas", "prod_pingvas"):
            admin.execute(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO app_user")
            admin.execute(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE pingvas_owner IN SCHEMA {schema}"
                " GRANT ALL ON TABLES TO app_user, service_user"
            )
        _provision()
        may = "SELECT has_schema_privilege('app_user', %s, 'CREATE')"
        for schema in ("dev_pingvas", "prod_pingvas"):
            assert admin.execute(may, [schema]).fetchone() == (False,)
        left = admin.execute(
            "SELECT 1 FROM pg_default_acl, aclexplode(defaclacl) AS given"
            " WHERE given.grantee IN ('app_user'::regrole, 'service_user'::regrole)"
        ).fetchall()
    assert left == []


@pytest.mark.parametrize("again", [_provision, _migrate])
def test_a_stray_grant_is_taken_back_by_the_next_run(again):
    before = _catalog()
    with connected("owner") as owner:
        owner.execute(STRAY)
    assert _catalog() != before
    again()
    assert _catalog() == before


def test_no_role_that_serves_people_owns_a_table_or_escapes_row_security():
    with admin_connection() as admin:
        owners = admin.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace"
        ).fetchall()
    assert owners == [("pingvas_owner",)]
    catalog = _catalog()
    for login in ("app_user", "worker_user", "readonly_user", "pingvas_owner"):
        assert catalog[Thing("role", "", login)] == "login inherit"
    for role in ("service_user", "identity_user"):
        assert catalog[Thing("role", "", role)] == "inherit"


def test_roles_are_taken_one_at_a_time_and_never_inherited():
    memberships = {
        thing.name: how for thing, how in _catalog().items() if thing[0] == "membership"
    }
    assert memberships == dict.fromkeys(
        (
            "app_user in service_user",
            "app_user in identity_user",
            "worker_user in service_user",
            "worker_user in app_user",
        ),
        "set",
    )


@pytest.mark.parametrize("role", ["pingvas_owner", "worker_user", "postgres"])
def test_app_user_may_become_neither_owner_nor_worker(role):
    with pytest.raises(InsufficientPrivilege), app_connection() as connection:
        connection.execute(f"SET ROLE {role}")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE trap ()",
        "CREATE TEMPORARY TABLE trap ()",
        "CREATE FUNCTION trap() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
        "CREATE SCHEMA trap",
        "CREATE TABLE public.trap ()",
        "CREATE TABLE extensions.trap ()",
        "DO LANGUAGE plpgsql $$ BEGIN NULL; END $$",
    ],
)
@pytest.mark.parametrize("role", ["app_user", "service_user", "identity_user"])
def test_whoever_serves_people_can_make_nothing(role, statement):
    with pytest.raises(InsufficientPrivilege), connected(role) as connection:
        connection.execute(statement)


def test_a_worker_is_the_house_from_its_first_statement_and_can_be_a_user():
    with worker_connection() as worker:
        who = "SELECT session_user::text, current_user::text"
        assert worker.execute(who).fetchone() == ("worker_user", "service_user")
        assert worker.execute("SELECT count(*) FROM users").fetchone() == (0,)
        worker.execute("SET LOCAL ROLE app_user")
        with pytest.raises(InsufficientPrivilege):
            worker.execute("SELECT * FROM django_celery_beat_periodictask")


@pytest.mark.parametrize(
    "expression",
    [
        "set_config('app.current_user_id', gen_random_uuid()::text, true)",
        "set_config('role', 'service_user', true)",
        "(SELECT max(query) FROM pg_stat_activity)",
        "lo_from_bytea(0, '')",
    ],
)
@pytest.mark.parametrize("role", ["app_user", "service_user", "readonly_user"])
def test_an_expression_changes_nobody_and_shows_nobody_elses_work(role, expression):
    """As an injected condition could: one statement, and a reading one."""
    connections_of = {"readonly_user": readonly_connection}
    opened = connections_of.get(role, lambda: connected(role))
    with pytest.raises(InsufficientPrivilege), opened() as connection:
        connection.execute(sql.SQL(f"SELECT id FROM users WHERE {expression} IS NULL"))  # noqa: S608  # our words


def test_what_a_thief_left_with_a_role_is_taken_back():
    # In this database alone: the role is that of tests beside as well.
    name = connections["default"].settings_dict["NAME"]
    with app_connection() as app:
        app.execute(f"ALTER ROLE app_user IN DATABASE {name} SET role = 'service_user'")
    who = "SELECT current_user::text"
    with app_connection() as app:
        assert app.execute(who).fetchone() == ("service_user",)
    _provision()
    with app_connection() as app:
        assert app.execute(who).fetchone() == ("app_user",)


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM django_session",
        "SELECT * FROM token_families",
        "SELECT * FROM idempotency_keys",
        "SELECT password_hash FROM users",
        "SELECT oauth_id FROM users",
        "SELECT token_version FROM users",
        "SELECT * FROM users",
        "SELECT * FROM django_admin_log",
        "SELECT share_token FROM images",
    ],
)
def test_analysts_cannot_read_secrets(question):
    with readonly_connection() as connection:
        connection.execute("SELECT id, tier FROM users")
        with pytest.raises(InsufficientPrivilege):
            connection.execute(question)


def test_logins_are_bounded_in_time_and_number():
    with admin_connection() as admin:
        rows = admin.execute(
            "SELECT rolname, rolconnlimit, rolconfig FROM pg_roles"
            " WHERE rolname IN ('app_user', 'worker_user', 'readonly_user')"
        ).fetchall()
        most = int(admin.execute("SHOW max_connections").fetchone()[0])
    assert sum(limit for _, limit, _ in rows) < most
    for _, limit, configured in rows:
        assert limit > 0
        names = {one.partition("=")[0] for one in configured}
        assert names >= {
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
        }
        assert {"log_min_error_statement=panic", "log_error_verbosity=terse"} <= set(
            configured
        )


def test_nobody_else_may_connect():
    with admin_connection() as admin:
        stranger = "SELECT has_database_privilege('public', current_database(), %s)"
        for verb in ("CONNECT", "TEMPORARY", "CREATE"):
            assert admin.execute(stranger, [verb]).fetchone() == (False,)


def test_control_the_safe_path_is_what_the_owner_looks_by():
    with safe_connection("owner") as owner:
        path = owner.execute("SHOW search_path").fetchone()
    assert SAFE_PATH.endswith(f"={path[0]}")
