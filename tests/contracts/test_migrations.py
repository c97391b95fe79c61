"""Migrations run forward, back and forward again, in each schema by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from pingvas.core.db.roles import ROLES
from pingvas.settings import BASE_DIR
from tests.billing.chain import computed_hashes, read_rows
from tests.contracts.catalog import Catalog, Thing
from tests.contracts.people import insert_user, set_balance
from tests.contracts.scratch import (
    catalog_of,
    owner_works_in,
    provision_again,
    roles_to_ourselves,
    scratch_database,
)
from tests.database import connect

DEV, PROD = "dev_pingvas", "prod_pingvas"
# Kinds of things that migrations make, not provisioning.
MADE = {"relation", "function", "sequence", "trigger", "policy"}


@pytest.fixture
def provisioned(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    """A database with schemas and roles, and no table yet."""
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


@pytest.fixture
def apart(django_db_setup: None) -> Iterator[str]:
    """A database with both schemas migrated, each by roles of its own."""
    with scratch_database("apart") as name:
        try:
            for schema, prefix in ((PROD, ""), (DEV, "dev_")):
                for command in ("provision_database", "migrate"):
                    done = _manage(command, name, schema, prefix)
                    assert done.returncode == 0, done.stderr
            yield name
        finally:
            with connect("DATABASE_ADMIN_URL", name, autocommit=True) as admin:
                for role in ROLES:
                    admin.execute(f"DROP OWNED BY dev_{role} CASCADE")
                    admin.execute(f"DROP ROLE dev_{role}")


def _manage(
    command: str, database: str, schema: str, prefix: str = ""
) -> subprocess.CompletedProcess[str]:
    """As an operator does: another process, with these in its environment."""
    urls = {
        name: _in_database(os.environ[name], database, prefix)
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL")
    }
    with roles_to_ourselves():
        return subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=BASE_DIR,
            env={**os.environ, **urls, "DB_SCHEMA": schema, "DB_ROLE_PREFIX": prefix},
            capture_output=True,
            text=True,
            check=False,
        )


def test_development_and_production_live_apart_in_one_database(migrated, apart):
    """The same schema twice; what opens one opens nothing of the other."""
    wanted = _made(catalog_of(migrated, DEV))
    assert _made(catalog_of(apart, PROD)) == wanted
    assert _made(catalog_of(apart, DEV)) == wanted
    for role, mine, theirs in (("dev_app_user", DEV, PROD), ("app_user", PROD, DEV)):
        url = make_conninfo(os.environ["DATABASE_URL"], dbname=apart, user=role)
        with psycopg.connect(url) as connection:
            connection.execute(f"TABLE {mine}.users")
            with pytest.raises(InsufficientPrivilege):
                connection.execute(f"TABLE {theirs}.users")


def _made(catalog: Catalog) -> set[tuple[str, str]]:
    """What lies in the schema, and to whom it is open, by the specification's names."""
    kinds = {*MADE, "grant", "column grant", "schema grant", "policy roles"}
    return {
        (re.sub(rf"\bdev_({'|'.join(ROLES)})\b", r"\1", text), thing.kind)
        for thing, how in catalog.items()
        for text in (str(thing), f"{thing} {how}")
        if thing.kind in kinds and not thing.relation.startswith("extensions")
    }


def test_roles_that_serve_one_schema_are_not_given_the_other(migrated):
    with connect("DATABASE_ADMIN_URL") as admin:
        kept = "SELECT rolname, rolpassword FROM pg_authid ORDER BY 1"
        before = admin.execute(kept).fetchall()
        done = _manage("provision_database", migrated, PROD)
        # Nothing was touched: a password would be the other schema's too.
        assert admin.execute(kept).fetchall() == before
    assert done.returncode == 1
    assert "would be those of dev_pingvas" in done.stderr
    assert _relations(migrated, PROD) == set()


def _in_database(url: str, database: str, prefix: str = "") -> str:
    parts = conninfo_to_dict(url)
    return (
        f"postgresql://{prefix}{parts['user']}:{parts['password']}"
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


WITHOUT_NEEDS = "0009_house_writes"
# By status and model: what a job of the version before is found to need.
OLD_JOBS = {
    ("queued", "grand"): (["base:sdxl"], 7),
    ("in_progress", "grand"): (["base:sdxl"], 7),
    ("completed", "grand"): ([], 0),
    ("pending", "gone"): ([], 0),
}


def test_jobs_that_wait_or_run_learn_what_they_need(migrated):
    with owner_works_in(migrated):
        call_command("migrate", "generation", WITHOUT_NEEDS, verbosity=0)
        with connect("DATABASE_ADMIN_URL", migrated) as admin:
            _queue_as_before(admin)
        call_command("migrate", verbosity=0)
        with connect("DATABASE_ADMIN_URL", migrated) as admin:
            rows = admin.execute(
                "SELECT status, model, needs, needs_bytes, lane, waits_on "
                "FROM generation_jobs"
            ).fetchall()
            assert {row[:2]: row[2:4] for row in rows} == OLD_JOBS
            assert {row[4:] for row in rows} == {("gpu", 0)}
            _forget(admin)


def _queue_as_before(admin) -> None:
    user = insert_user(admin, "cleo")
    admin.execute(
        "INSERT INTO ai_models (name, type, base_model, file_size, is_official) "
        "VALUES ('grand', 'main', 'sdxl', 7, true)"
    )
    for status, model in OLD_JOBS:
        admin.execute(
            "INSERT INTO generation_jobs (user_id, tier, status, prompt, model, width, "
            "height, lease_expires_at) VALUES (%s, 'free', %s, 'a star', %s, 64, 64, "
            "CASE WHEN %s = 'in_progress' THEN now() END)",
            [user, status, model, status],
        )


def _forget(admin) -> None:
    admin.execute("SET LOCAL session_replication_role = replica")
    tables = ("credit_transactions", "credit_balances", "generation_jobs", "ai_models")
    for table in (*tables, "users"):
        admin.execute(f"DELETE FROM {table}")  # noqa: S608 - our names
