"""Databases of a test's own, beside the one that the test run works in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from psycopg import sql

from pingvas.core.db.provision import PASSWORDS, Provision, provision
from tests.contracts.catalog import HERE, ROLES, Catalog, read_catalog
from tests.database import connect


@contextmanager
def scratch_database(purpose: str) -> Iterator[str]:
    """An empty database, dropped at the end; yields its name."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"pingvas_{purpose}_{worker}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    create = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0")
    with _server() as admin:
        admin.execute(drop.format(sql.Identifier(name)))
        admin.execute(create.format(sql.Identifier(name)))
    try:
        yield name
    finally:
        with _server() as admin:
            admin.execute(drop.format(sql.Identifier(name)))


def provision_again(name: str) -> None:
    """What `manage.py provision_database` does, on the database `name`."""
    with roles_to_ourselves():
        provision(
            os.environ["DATABASE_ADMIN_URL"],
            Provision(
                database=name,
                passwords={role: os.environ[kept] for role, kept in PASSWORDS.items()},
            ),
        )


@contextmanager
def roles_to_ourselves() -> Iterator[None]:
    """Roles belong to the whole server: see tests/conftest.py."""
    with _server() as admin:
        admin.execute("SELECT pg_advisory_lock(20261122)")
        yield


@contextmanager
def owner_works_in(name: str, schema: str = settings.DB_SCHEMA) -> Iterator[None]:
    """Point Django's alias `owner` at another database, and maybe another schema."""
    owner = connections["owner"]
    before = owner.settings_dict["NAME"], owner.settings_dict["OPTIONS"]["options"]
    schema_before = settings.DB_SCHEMA
    _point(owner, name, f"-c search_path={schema},extensions")
    settings.DB_SCHEMA = schema
    try:
        yield
    finally:
        settings.DB_SCHEMA = schema_before
        _point(owner, *before)


def _point(connection: Any, name: str, options: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    connection.settings_dict["OPTIONS"]["options"] = options
    ContentType.objects.clear_cache()


def catalog_of(name: str, schema: str = settings.DB_SCHEMA) -> Catalog:
    with connect("DATABASE_ADMIN_URL", name) as admin:
        admin.execute(
            sql.SQL("SET search_path = {}, extensions").format(sql.Identifier(schema))
        )
        return read_catalog(admin)


def load_specification(name: str) -> Catalog:
    """The catalogue that the specification's own DDL makes, in an empty database.

    All in one transaction that is rolled back: roles belong to the whole server, so
    ours step aside for the specification's CREATE ROLE and no other session notices.
    """
    text = (HERE / "specification.sql").read_text(encoding="utf-8")
    with roles_to_ourselves(), connect("DATABASE_ADMIN_URL", name) as admin:
        for role in ROLES:
            admin.execute(
                sql.SQL("ALTER ROLE {} RENAME TO {}").format(
                    sql.Identifier(role), sql.Identifier(f"{role}_aside")
                )
            )
        admin.execute(text.replace("DATABASE pingvas_db", f"DATABASE {name}"))
        admin.execute("SET LOCAL search_path = prod_pingvas, extensions")
        catalog = read_catalog(admin)
        admin.rollback()
    return catalog


def _server() -> Any:
    return psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True)
