"""Everything in the database that no migration may do: roles, schemas, grants.

Runs as the administrator, before the first migration and again whenever roles or
passwords change; every step may be repeated. It ends with revokes, because the
specification's `GRANT ... ON ALL TABLES` also reaches tables that must not be changed
or read by everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

SCHEMAS = ("dev_pingvas", "prod_pingvas")
EXTENSIONS = ("btree_gist", "pg_trgm")
OWNER = "pingvas_owner"
LOGIN_ROLES = (OWNER, "app_user", "readonly_user")
# Taken by `SET LOCAL ROLE`, never inherited: their policies stay apart from a user's.
ACTOR_ROLES = ("service_user", "identity_user")

LEDGER = "credit_transactions"
# Secrets that analysts have no use for, and the statistics that only staff may read
# whole. A table that is not migrated yet is passed over; provision again afterwards.
UNREADABLE = {"readonly_user": ("django_session",), "app_user": ("user_stats",)}
# Tables that fewer may use than the rest: what is taken from all, and given again.
NARROW = {
    "adjustment_notes": (
        ("SELECT (transaction_id, public_note, created_at)", "app_user, readonly_user"),
    ),
    "ledger_roots": (
        ("SELECT, INSERT", "service_user"),
        ("SELECT", "readonly_user"),
    ),
}
TAKEN_FROM = {
    "adjustment_notes": "app_user, readonly_user",
    "ledger_roots": "app_user, service_user, readonly_user",
}


@dataclass(frozen=True)
class Provision:
    """What to make: the database's name and a password for each login role."""

    database: str
    passwords: Mapping[str, str]


def provision(admin_url: str, wanted: Provision) -> list[str]:
    """Make roles, database, schemas and grants; returns one line for each step."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        steps = list(_make_roles(admin, wanted))
        steps += _make_database(admin, wanted.database)
        inside = psycopg.conninfo.make_conninfo(admin_url, dbname=wanted.database)
    with psycopg.connect(inside) as admin:
        steps += _make_schemas(admin, wanted.database)
    return steps


def _make_roles(admin: psycopg.Connection, wanted: Provision) -> Iterator[str]:
    known = {row[0] for row in admin.execute("SELECT rolname FROM pg_roles")}
    for role in (*LOGIN_ROLES, *ACTOR_ROLES):
        if role not in known:
            admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    for role in LOGIN_ROLES:
        admin.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(wanted.passwords[role])
            )
        )
        yield f"role {role} may sign in"
    for role in ACTOR_ROLES:
        admin.execute(
            sql.SQL("GRANT {} TO app_user WITH INHERIT FALSE, SET TRUE").format(
                sql.Identifier(role)
            )
        )
        yield f"role {role} may be taken by app_user"
    # A managed service's administrator is no superuser and must be a member.
    admin.execute(f"GRANT {OWNER} TO CURRENT_USER")


def _make_database(admin: psycopg.Connection, name: str) -> list[str]:
    if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return [f"database {name} is there"]
    admin.execute(
        sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
            sql.Identifier(name)
        )
    )
    return [f"database {name} made"]


def _make_schemas(admin: psycopg.Connection, database: str) -> Iterator[str]:
    # Owned by the administrator: else a schema that is missing would let migrations
    # make their tables here, silently.
    admin.execute("CREATE SCHEMA IF NOT EXISTS extensions")
    for extension in EXTENSIONS:
        admin.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA extensions")
        yield f"extension {extension}"
    everybody = ", ".join((*LOGIN_ROLES, *ACTOR_ROLES))
    admin.execute(f"GRANT USAGE ON SCHEMA extensions TO {everybody}")
    admin.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            sql.Identifier(database),
            sql.SQL(", ").join(map(sql.Identifier, LOGIN_ROLES)),
        )
    )
    for schema in SCHEMAS:
        admin.execute(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {OWNER}")
        for statement in _grants(schema):
            admin.execute(statement)
        _close(admin, schema)
        yield f"schema {schema}"


def _grants(schema: str) -> Iterator[str]:
    """The specification's grants, for tables that are there and for those to come."""
    actors = ", ".join(ACTOR_ROLES)
    yield f"GRANT USAGE ON SCHEMA {schema} TO readonly_user, {actors}"
    # CREATE as the specification has it; that app_user never migrates is guarded by
    # pingvas.core.db.migrate_guard.
    yield f"GRANT USAGE, CREATE ON SCHEMA {schema} TO app_user"
    everything = "SELECT, INSERT, UPDATE, DELETE"
    for what, verbs, roles in (
        ("TABLES", "SELECT", "readonly_user"),
        ("TABLES", everything, "app_user, service_user"),
        ("SEQUENCES", "USAGE", "app_user, service_user"),
    ):
        yield f"GRANT {verbs} ON ALL {what} IN SCHEMA {schema} TO {roles}"
        yield (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {schema} "
            f"GRANT {verbs} ON {what} TO {roles}"
        )


def _close(admin: psycopg.Connection, schema: str) -> None:
    """Take back what `ON ALL TABLES` gave too much of."""
    relations = admin.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace", [schema]
    )
    there = {row[0] for row in relations}
    if LEDGER in there:
        admin.execute(
            f"REVOKE UPDATE, DELETE, TRUNCATE ON {schema}.{LEDGER} "
            "FROM app_user, service_user"
        )
    for table in sorted(there.intersection(NARROW)):
        admin.execute(f"REVOKE ALL ON {schema}.{table} FROM {TAKEN_FROM[table]}")
        for verbs, roles in NARROW[table]:
            admin.execute(f"GRANT {verbs} ON {schema}.{table} TO {roles}")
    for role, tables in UNREADABLE.items():
        for table in sorted(there.intersection(tables)):
            admin.execute(f"REVOKE ALL ON {schema}.{table} FROM {role}")
