"""After a second run of `provision_database`: exactly these privileges."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connections
from psycopg.errors import InsufficientPrivilege

from tests.contracts.catalog import Catalog, Thing
from tests.contracts.people import connected
from tests.contracts.scratch import catalog_of, roles_to_ourselves
from tests.database import admin_connection, app_connection, readonly_connection

WRITE = {"INSERT", "UPDATE", "DELETE"}
ALL = WRITE | {"SELECT"}
VERBS = [*sorted(ALL), "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"]


def _provision() -> str:
    out = StringIO()
    with roles_to_ourselves():
        call_command("provision_database", stdout=out)
    return out.getvalue()


def _catalog() -> Catalog:
    return catalog_of(connections["default"].settings_dict["NAME"])


@pytest.fixture(scope="module")
def provisioned_again(django_db_setup: None) -> Catalog:
    before = _catalog()
    _provision()
    return before


def test_a_second_run_says_what_it_did_and_changes_nothing(provisioned_again):
    said = _provision()
    assert _catalog() == provisioned_again
    assert f"database {connections['default'].settings_dict['NAME']} is there" in said
    assert "schema dev_pingvas" in said
    assert "schema prod_pingvas" in said


@pytest.mark.parametrize(
    ("role", "relation", "allowed"),
    [
        ("app_user", "credit_transactions", {"SELECT", "INSERT"}),
        ("service_user", "credit_transactions", {"SELECT", "INSERT"}),
        ("readonly_user", "credit_transactions", {"SELECT"}),
        ("identity_user", "credit_transactions", set()),
        # Columns of it: see below.
        ("app_user", "adjustment_notes", set()),
        ("service_user", "adjustment_notes", ALL),
        ("readonly_user", "adjustment_notes", set()),
        ("app_user", "ledger_roots", set()),
        ("service_user", "ledger_roots", {"SELECT", "INSERT"}),
        ("readonly_user", "ledger_roots", {"SELECT"}),
        ("app_user", "user_stats", set()),
        ("service_user", "user_stats", ALL | {"MAINTAIN"}),
        ("readonly_user", "user_stats", {"SELECT"}),
        ("identity_user", "user_stats", set()),
        ("app_user", "django_session", ALL),
        ("readonly_user", "django_session", set()),
        ("app_user", "images", ALL),
        ("service_user", "images", ALL),
        ("readonly_user", "images", {"SELECT"}),
        ("identity_user", "users", {"SELECT", "INSERT", "UPDATE"}),
    ],
)
def test_a_role_may_do_this_and_nothing_else(
    provisioned_again, role, relation, allowed
):
    with admin_connection() as admin:
        granted = {
            verb
            for verb in VERBS
            if admin.execute(
                "SELECT has_table_privilege(%s, %s, %s)", [role, relation, verb]
            ).fetchone()[0]
        }
    assert granted == allowed


def test_analysts_only_read_and_sign_in_only_sees_accounts(provisioned_again):
    grants = [thing for thing in _catalog() if thing.kind == "grant"]
    verbs = {g.name.split()[0] for g in grants if g.name.endswith("to readonly_user")}
    assert verbs == {"SELECT"}
    seen = {g.relation for g in grants if g.name.endswith("to identity_user")}
    assert seen == {"users"}
    strangers = {g.name.split()[-1] for g in grants} - {
        "app_user",
        "service_user",
        "readonly_user",
        "identity_user",
    }
    assert strangers == set()


def test_a_stray_grant_is_taken_back_by_the_next_run(provisioned_again):
    with connected("owner") as owner:
        owner.execute(
            "GRANT UPDATE, DELETE, TRUNCATE ON credit_transactions TO app_user,"
            " service_user;"
            "GRANT SELECT ON user_stats TO app_user;"
            "GRANT SELECT ON django_session TO readonly_user"
        )
    assert _catalog() != provisioned_again
    _provision()
    assert _catalog() == provisioned_again


def test_no_role_that_serves_people_owns_a_table_or_escapes_row_security(
    provisioned_again,
):
    with admin_connection() as admin:
        owners = admin.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace"
        ).fetchall()
    assert owners == [("pingvas_owner",)]
    catalog = _catalog()
    assert catalog[Thing("role", "", "app_user")] == "login inherit"
    assert catalog[Thing("role", "", "readonly_user")] == "login inherit"
    assert catalog[Thing("role", "", "service_user")] == "inherit"
    assert catalog[Thing("role", "", "identity_user")] == "inherit"
    for role in ("service_user", "identity_user"):
        assert catalog[Thing("membership", "", f"app_user in {role}")] == "set"


def test_app_user_cannot_become_the_owner(provisioned_again):
    with pytest.raises(InsufficientPrivilege), app_connection() as connection:
        connection.execute("SET ROLE pingvas_owner")


def test_analysts_cannot_read_sessions(provisioned_again):
    with readonly_connection() as connection:
        connection.execute("SELECT * FROM users")
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT * FROM django_session")


def test_of_staffs_words_the_public_columns_alone_may_be_read(provisioned_again):
    columns = {
        thing.name
        for thing in _catalog()
        if thing.kind == "column grant" and thing.relation == "adjustment_notes"
    }
    assert columns == {
        f"SELECT on {column} to {role}"
        for column in ("transaction_id", "public_note", "created_at")
        for role in ("app_user", "readonly_user")
    }


def test_tables_of_later_migrations_get_the_same_grants(provisioned_again):
    with connected("owner") as owner:
        owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY)")
    try:
        grants = {thing.name for thing in _catalog() if thing[:2] == ("grant", "later")}
    finally:
        with connected("owner") as owner:
            owner.execute("DROP TABLE later")
    assert grants == {
        "SELECT to readonly_user",
        *(f"{verb} to {role}" for verb in ALL for role in ("app_user", "service_user")),
    }
