"""Servers, database and settings of a run.

Imports nothing of Django's before the environment is complete. An environment that
names every server (as the runner's children have it) is used as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pingvas.core.db.provision import PASSWORDS, Provision, provision
from pingvas.core.redis_users import USERS, WEB, WORKER, merge_users
from pingvas.local.credentials import load_credentials
from pingvas.local.environment import postgres_environment, redis_environment
from pingvas.local.files import FolderLock, make_private_folder
from pingvas.local.postgres import EmbeddedPostgres
from pingvas.local.redis import EmbeddedRedis

HOMES = Path(__file__).parent.parent / ".pingvas" / "bench"
ADDRESSES = (
    "DATABASE_ADMIN_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_URL",
    "REDIS_ADMIN_URL",
    "REDIS_URL",
)
# One process is web and worker here.
BOTH = merge_users("bench", WEB, WORKER)


@contextmanager
def open_servers() -> Iterator[None]:
    """Start PostgreSQL and Redis as `make run` does, unless the environment has them.

    Data are kept on disk as in production: a bench without fsync would flatter nobody
    but whoever writes the most.
    """
    if all(os.environ.get(name) for name in ADDRESSES):
        yield
        return
    with ExitStack() as stack:
        lock = _take_home()
        stack.callback(lock.release)
        home = lock.path.parent
        postgres = EmbeddedPostgres(home / "postgres", log=home / "postgres.log")
        redis = EmbeddedRedis(
            home / "redis",
            log=home / "redis.log",
            durable=False,
            users=(*USERS, BOTH),
        )
        stack.callback(postgres.stop)
        postgres.start()
        stack.callback(redis.stop)
        redis.start()
        credentials = load_credentials(home / "credentials.json")
        os.environ.update(
            {
                "PINGVAS_ENV": "test",
                "LOG_LEVEL": "WARNING",
                "SECRET_KEY": credentials["SECRET_KEY"],
                "DB_SCHEMA": "dev_pingvas",
                "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
                "MEDIA_ROOT": str(home / "media"),
                "MODEL_CACHE_ROOT": str(home / "model-cache"),
                **postgres_environment(postgres, credentials),
                **redis_environment(redis),
                # Of a program that is the web alone.
                "REDIS_WEB_URL": redis.url(WEB),
                "REDIS_URL": redis.url(BOTH),
            }
        )
        yield


@contextmanager
def open_studio(name: str) -> Iterator[None]:
    """Set Django up on an empty, migrated database of the subject's own."""
    with open_database(name) as database:
        _provision(database)
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        try:
            call_command("migrate", database="owner", verbosity=0)
            connections["owner"].close()
            yield
        finally:
            for connection in connections.all():
                connection.close()


@contextmanager
def open_database(name: str) -> Iterator[str]:
    """A name for a database of the subject's own, which everybody's address has.

    Whoever provisions makes it; it is dropped before and after.
    """
    database = f"pingvas_bench_{name}"
    _drop(database)
    for variable in ("DATABASE_OWNER_URL", "DATABASE_URL", "DATABASE_WORKER_URL"):
        if variable in os.environ:
            os.environ[variable] = _with_database(os.environ[variable], database)
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"
    try:
        yield database
    finally:
        _drop(database)


@contextmanager
def copy_database(name: str, copy: str) -> Iterator[None]:
    """A second database like `name`, for a while; whoever is connected is cut off."""
    _drop(copy)
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as admin:
        # A pool keeps connections open; it replaces those that it finds broken.
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(copy), sql.Identifier(name)
            )
        )
    _provision(copy)
    try:
        yield
    finally:
        _drop(copy)


def _take_home() -> FolderLock:
    """The lock of the first home that no other run holds."""
    for number in count():
        lock = FolderLock(make_private_folder(HOMES / str(number)) / "lock")
        if lock.acquire(note=str(os.getpid())):
            return lock
    raise AssertionError("numbers do not end")


def _provision(database: str) -> None:
    passwords = {role: os.environ[name] for role, name in PASSWORDS.items()}
    provision(
        os.environ["DATABASE_ADMIN_URL"],
        Provision(database=database, passwords=passwords),
    )


def _drop(database: str) -> None:
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as admin:
        admin.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                sql.Identifier(database)
            )
        )


def _with_database(url: str, database: str) -> str:
    parts = conninfo_to_dict(url)
    address = f"{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}"
    return f"postgresql://{address}/{database}"
