"""Migrations run forward, back and forward again, in each schema by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import RestrictViolation

from pingvas.settings import BASE_DIR
from tests.billing.chain import computed_hashes, read_rows
from tests.contracts.catalog import Thing
from tests.contracts.people import insert_user, set_balance
from tests.contracts.scratch import (
    catalog_of,
    owner_works_in,
    provision_again,
    scratch_database,
)
from tests.database import connect

DEV, PROD = "dev_pingvas", "prod_pingvas"
# Kinds of things that migrations make, not provisioning.
MADE = {"relation", "function", "sequence", "trigger", "policy"}


@pytest.fixture
def provisioned(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    """A database with schemas, roles and grants, and no table yet."""
    with scratch_database("provisioned") as name, django_db_blocker.unblock():
        provision_again(name)
        yield name


@pytest.fixture(scope="module")
def migrated(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    """A database whose development schema is migrated."""
    with scratch_database("migrated") as name, django_db_blocker.unblock():
        provision_again(name)
        with owner_works_in(name):
            call_command("migrate", verbosity=0)
        yield name


def test_back_to_zero_and_forward_again_makes_the_same_schema(migrated):
    first = catalog_of(migrated)
    assert Thing("relation", "users", "") in first
    with owner_works_in(migrated):
        _migrate_to_zero()
        left = {thing for thing in catalog_of(migrated) if thing.kind in MADE}
        assert {thing.relation for thing in left} == {"django_migrations"}
        call_command("migrate", verbosity=0)
    assert catalog_of(migrated) == first


def _migrate_to_zero() -> None:
    executor = MigrationExecutor(connections["owner"])
    executor.migrate([(label, None) for label in executor.loader.migrated_apps])


def test_development_and_production_migrate_apart_in_one_database(migrated):
    dev = catalog_of(migrated, DEV)
    assert _relations(migrated, PROD) == set()
    _migrate_production(migrated)
    assert catalog_of(migrated, PROD) == dev
    assert catalog_of(migrated, DEV) == dev


def _migrate_production(database: str) -> None:
    """As an operator does: another process, with DB_SCHEMA in its environment."""
    urls = {
        name: _in_database(os.environ[name], database)
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL")
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=BASE_DIR,
        env={**os.environ, **urls, "DB_SCHEMA": PROD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _in_database(url: str, database: str) -> str:
    parts = conninfo_to_dict(url)
    return (
        f"postgresql://{parts['user']}:{parts['password']}"
        f"@{parts['host']}:{parts['port']}/{database}"
    )


def _relations(database: str, schema: str) -> set[str]:
    return {
        thing.relation
        for thing in catalog_of(database, schema)
        if thing.kind == "relation"
    }


def test_a_missing_schema_stops_the_migration(provisioned):
    with connect("DATABASE_ADMIN_URL", provisioned) as admin:
        admin.execute(f"DROP SCHEMA {PROD}")
    with (
        owner_works_in(provisioned, PROD),
        pytest.raises(
            CommandError,
            match=r"schema prod_pingvas does not exist here \(tables would go to "
            r"extensions\)\. Run manage\.py provision_database first",
        ),
    ):
        call_command("migrate", verbosity=0)
    assert _relations(provisioned, "extensions") == set()
    assert _relations(provisioned, DEV) == set()


@pytest.mark.django_db
def test_app_user_may_not_migrate():
    with pytest.raises(CommandError, match="app_user must not own tables"):
        call_command("migrate", database="default", verbosity=0)


def test_migrate_asks_for_the_owners_url(monkeypatch):
    monkeypatch.delitem(connections.settings, "owner")
    with pytest.raises(CommandError, match="Set DATABASE_OWNER_URL"):
        call_command("migrate")


def test_every_app_with_models_has_migrations():
    migrated = MigrationLoader(None).migrated_apps
    for config in apps.get_app_configs():
        if any(model._meta.managed for model in config.get_models()):
            assert config.label in migrated


UNSEALED = "0003_credit_holds"
STAFF = UUID("00000000-0000-4000-8000-000000000001")


def test_an_older_ledger_is_sealed_and_staff_words_move_out_of_it(migrated):
    with owner_works_in(migrated):
        call_command("migrate", "billing", UNSEALED, verbosity=0)
        with connect("DATABASE_ADMIN_URL", migrated) as admin:
            _post_as_before(admin)
            before = _descriptions(admin)
        call_command("migrate", verbosity=0)
        with connect("DATABASE_ADMIN_URL", migrated) as admin:
            found = {row["id"]: row["row_hash"] for row in read_rows(admin)}
            assert len(found) == len(before)
            assert computed_hashes(admin) == found
            assert _descriptions(admin) == ["free month", None, "by hand", None]
            notes = admin.execute(
                "SELECT staff_id, internal_reason, public_note FROM adjustment_notes"
            ).fetchall()
            assert notes == [(STAFF, "a gift\nof two lines", None)]
            with pytest.raises(RestrictViolation), admin.transaction():
                admin.execute("UPDATE credit_transactions SET description = 'x'")
        call_command("migrate", "billing", UNSEALED, verbosity=0)
        with connect("DATABASE_ADMIN_URL", migrated) as admin:
            assert _descriptions(admin) == before
            _forget(admin)
        call_command("migrate", verbosity=0)


def _post_as_before(admin) -> None:
    """Two users' ledgers, by a version that knew neither seals nor notes."""
    gift = f"staff {STAFF}: a gift\nof two lines"
    for name, postings in {
        "ada": [
            (1, 300, 300, "subscription_grant", "free month"),
            (2, 50, 350, "admin_adjustment", gift),
        ],
        "bea": [
            (1, 5, 5, "admin_adjustment", "by hand"),
            (2, -5, 0, "generation_usage", None),
        ],
    }.items():
        user = insert_user(admin, name)
        for posting in postings:
            admin.execute(
                "INSERT INTO credit_transactions (user_id, sequence, amount, "
                "balance_after, type, description, idempotency_key) "
                "VALUES (%s, %s, %s, %s, %s, %s, gen_random_uuid())",
                [user, *posting],
            )
        set_balance(admin, user, postings[-1][2])


def _descriptions(admin) -> list[str | None]:
    rows = admin.execute(
        "SELECT description FROM credit_transactions JOIN users ON user_id = users.id "
        "ORDER BY email, sequence"
    )
    return [words for (words,) in rows]


def _forget(admin) -> None:
    admin.execute("SET LOCAL session_replication_role = replica")
    for table in ("credit_transactions", "credit_balances", "users"):
        admin.execute(f"DELETE FROM {table}")  # noqa: S608 - our names
