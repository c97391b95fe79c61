"""Connections that tests open beside Django's own, one for each role."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pingvas.core.db import login
from pingvas.core.db.roles import WORKER

# Rows that migrations make, not tests.
KEPT = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "queue_clock",
}


def connect(variable: str, database: str | None = None, **options: Any) -> Any:
    """A connection by the URL in `variable`, to this process's test database."""
    name = database or connections["default"].settings_dict["NAME"]
    return psycopg.connect(
        make_conninfo(
            os.environ[variable],
            dbname=name,
            options=f"-c search_path={settings.DB_SCHEMA},extensions",
        ),
        **options,
    )


def admin_connection(database: str | None = None) -> Any:
    return connect("DATABASE_ADMIN_URL", database, autocommit=True)


def owner_connection() -> Any:
    return connect("DATABASE_OWNER_URL", autocommit=True)


def app_connection() -> Any:
    return connect("DATABASE_URL")


def worker_connection() -> Any:
    return connect("DATABASE_WORKER_URL")


def readonly_connection() -> Any:
    url = conninfo_to_dict(os.environ["DATABASE_URL"])
    url |= {"user": "readonly_user", "password": os.environ["DB_READONLY_PASSWORD"]}
    name = connections["default"].settings_dict["NAME"]
    search_path = f"-c search_path={settings.DB_SCHEMA},extensions"
    return psycopg.connect(
        **{**url, "dbname": name, "options": search_path}, autocommit=True
    )


@contextmanager
def signed_in_as_worker() -> Iterator[None]:
    """Django on a worker's login, as in maintenance and Beat."""
    default = connections["default"]
    before = {name: default.settings_dict[name] for name in ("USER", "PASSWORD")}
    expected = login._Expected.role
    _sign_in(WORKER, USER=WORKER, PASSWORD=os.environ["DB_WORKER_PASSWORD"])
    try:
        yield
    finally:
        _sign_in(expected, **before)


def _sign_in(expected: str | None, **values: str) -> None:
    """`expected`: where the web was imported, it is the web's login otherwise."""
    connections["default"].close()
    connections["default"].close_pool()
    login._Expected.role = expected
    connections["default"].settings_dict.update(values)


def flush_as_administrator(*args: Any, **kwargs: Any) -> None:
    """Empty every table after a transactional test.

    app_user may not TRUNCATE, and the ledger refuses it from anybody: the
    administrator does it with triggers off.
    """
    with admin_connection() as admin:
        rows = admin.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s",
            [settings.DB_SCHEMA],
        ).fetchall()
        tables = ", ".join(sorted({row[0] for row in rows} - KEPT))
        admin.execute("SET session_replication_role = replica")
        # A worker that lives on asks the same tables in another order: where both wait
        # for each other it is the worker that notices first, gives way and asks again.
        admin.execute("SET deadlock_timeout = '30s'")
        admin.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
