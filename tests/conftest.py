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

from pingvas.core.db.provision import Provision, provision
from tests.database import admin_connection, flush_as_administrator
from tests.private_tables import refuse_private_tables_without_actor


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
        # Roles belong to the whole server: two workers must not make them at once.
        admin.execute("SELECT pg_advisory_lock(20261122)")
        provision(admin_url, Provision(database=name, passwords=_passwords()))
    for alias in connections:
        connections[alias].settings_dict["NAME"] = name
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)
        connections["owner"].close()
    with admin_connection(name) as admin:
        # What a second run of `provision_database` would do after the first migrate.
        admin.execute("SELECT 1")
    provision(admin_url, Provision(database=name, passwords=_passwords()))
    yield
    for connection in connections.all():
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(drop)


def _passwords() -> dict[str, str]:
    return {
        "pingvas_owner": os.environ["DB_OWNER_PASSWORD"],
        "app_user": os.environ["DB_APP_PASSWORD"],
        "readonly_user": os.environ["DB_READONLY_PASSWORD"],
    }


def pytest_configure(config: pytest.Config) -> None:
    TransactionTestCase._fixture_teardown = flush_as_administrator
    connection_created.connect(refuse_private_tables_without_actor)
