"""The database of a test run: made as in production, then used as `app_user`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase
from psycopg import sql

from accounts.hashers import Argon2Hasher
from pingvas.core.db.provision import PASSWORDS, Provision, provision
from tests.database import flush_as_administrator
from tests.private_tables import refuse_private_tables_without_actor
from tests.redis import refusals


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """Create, provision and migrate a database of this process's own.

    pytest-django's own fixture would create it through `default`, and app_user may
    not create databases, nor flush them.
    """
    name = f"pingvas_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
        sql.Identifier(name)
    )
    admin_url = os.environ["DATABASE_ADMIN_URL"]
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(drop)
    _provision(name)
    for alias in connections:
        connections[alias].settings_dict["NAME"] = name
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)
        connections["owner"].close()
    yield
    for connection in connections.all():
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(drop)


@pytest.fixture(scope="module", autouse=True)
def redis_refuses_nothing() -> Iterator[None]:
    """Show what `pingvas.core.redis_users` lacks, even where a refusal is no error."""
    yield
    admin_url = os.environ["REDIS_ADMIN_URL"]
    if not admin_url.endswith(":1/0"):
        assert refusals(admin_url) == []


@pytest.fixture(scope="module", autouse=True)
def fresh_pool() -> Iterator[None]:
    """Give every module a pool of its own.

    A thread that ends without closing its connection never gives it back: thirty such
    threads, over many modules, would leave nothing for the next test.
    """
    yield
    connections["default"].close()
    connections["default"].close_pool()


def _provision(name: str) -> None:
    admin_url = os.environ["DATABASE_ADMIN_URL"]
    with psycopg.connect(admin_url, autocommit=True) as admin:
        # Roles belong to the whole server: two workers must not change them at once.
        admin.execute("SELECT pg_advisory_lock(20261122)")
        provision(admin_url, Provision(database=name, passwords=_passwords()))


def _passwords() -> dict[str, str]:
    return {role: os.environ[name] for role, name in PASSWORDS.items()}


def pytest_configure(config: pytest.Config) -> None:
    # The real algorithm at its smallest cost: tests make hundreds of accounts.
    Argon2Hasher.time_cost = 1
    Argon2Hasher.memory_cost = 8
    Argon2Hasher.parallelism = 1
    TransactionTestCase._fixture_teardown = flush_as_administrator
    connection_created.connect(refuse_private_tables_without_actor)
