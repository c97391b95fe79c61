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


# Beyond this a table is emptied as a file: its dead rows would slow the next tests.
LARGE_BYTES = 1024 * 1024
_TABLES = """
    SELECT relname, pg_relation_size(oid) FROM pg_class
    WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND relname <> ALL(%s)
    ORDER BY relname
"""


def flush_as_administrator(*args: Any, **kwargs: Any) -> None:
    """Empty every table after a transactional test.

    app_user may not TRUNCATE, and the ledger refuses it from anybody: the
    administrator does it with triggers off. To truncate all tables makes a file of each
    of their indexes anew: as a rule there are a handful of rows to delete.
    """
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        # A worker that lives on asks the same tables in another order: where both wait
        # for each other it is the worker that notices first, gives way and asks again.
        admin.execute("SET deadlock_timeout = '30s'")
        sizes = dict(
            admin.execute(_TABLES, [settings.DB_SCHEMA, list(KEPT)]).fetchall()
        )
        names = ", ".join(sizes)
        with admin.transaction():
            # Whoever writes still has ended by then.
            admin.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            if max(sizes.values()) > LARGE_BYTES:
                admin.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
            else:
                _delete_rows(admin, list(sizes))


def _delete_rows(admin: Any, tables: list[str]) -> None:
    filled = " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})"  # noqa: S608 - our own
        for name in tables
    )
    for (name,) in admin.execute(filled).fetchall():
        admin.execute(f"DELETE FROM {name}")  # noqa: S608 - our own
