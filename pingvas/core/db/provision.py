"""Everything in the database that no migration may do: roles, schemas, grants.

Runs as the administrator, before the first migration and again whenever roles or
passwords change; every step may be repeated. It ends with the list of rights
(`pingvas.rights`), as `migrate` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from django.conf import settings
from psycopg import sql

from pingvas.core.db.ownership import (
    EXTENSIONS_SCHEMA,
    SAFE_PATH,
    refuse_foreign_objects,
)
from pingvas.core.db.rights import apply_rights
from pingvas.core.db.roles import (
    ACTOR_ROLES,
    ANALYST,
    BEGINS_AS,
    LOGIN_ROLES,
    MAY_TAKE,
    OWNER,
    ROLES,
    WEB,
    WORKER,
    role_name,
)
from pingvas.rights import OTHER_OWNERS, RIGHTS

SCHEMAS = ("dev_pingvas", "prod_pingvas")
EXTENSIONS = ("btree_gist", "pg_trgm")
LANGUAGES = ("plpgsql", "sql")

# The variable with each login's password.
PASSWORDS = {
    OWNER: "DB_OWNER_PASSWORD",
    WEB: "DB_APP_PASSWORD",
    WORKER: "DB_WORKER_PASSWORD",
    ANALYST: "DB_READONLY_PASSWORD",
}
# Each login's share of max_connections, so that none starves the others.
CONNECTIONS = {WEB: 0.65, WORKER: 0.25, ANALYST: 0.05, OWNER: 0.05}
# A statement, a lock or a transaction that takes longer is a fault. The session may set
# them anew: they guard against mistakes, not against whoever has the password.
TIMEOUTS = {
    WEB: {
        "statement_timeout": "30s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "60s",
    },
    # Audits and statistics read everything.
    WORKER: {
        "statement_timeout": "30min",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "5min",
    },
    ANALYST: {
        "statement_timeout": "10min",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10min",
    },
}
# A failed statement holds what people wrote, and so does the detail of an error. Only a
# superuser may say so, hence not where the administrator of a managed service is none.
# And what one connection runs is no other's to see.
DISCREET = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "track_activities": "off",
}
# What everybody may call unless told otherwise, and nobody here needs: by an expression
# alone they change who acts, show what others run, and fill the disk. Only a superuser
# may take them back.
SHARP_FUNCTIONS = (
    "set_config(text, text, boolean)",
    "pg_stat_get_activity(integer)",
    "lo_creat(integer)",
    "lo_create(oid)",
    "lo_from_bytea(oid, bytea)",
)


@dataclass(frozen=True)
class Provision:
    """What to make: the database's name, a password for each login role by its name in
    the specification, and the schema whose rights are set.
    """

    database: str
    passwords: Mapping[str, str]
    schema: str = field(default_factory=lambda: settings.DB_SCHEMA)


class SharedRoles(Exception):
    """The other schema of this database already uses roles of these names."""

    def __init__(self, schema: str) -> None:
        super().__init__(
            f"The roles of this schema would be those of {schema}, whose tables are in "
            "the same database. Give the development's roles names and passwords of "
            "their own with DB_ROLE_PREFIX=dev_, or use another cluster."
        )


def provision(admin_url: str, wanted: Provision) -> list[str]:
    """Make roles, database, schemas and grants; returns one line for each step.

    Raises ForeignObjects, SharedRoles and UnlistedTable.
    """
    inside = psycopg.conninfo.make_conninfo(admin_url, dbname=wanted.database)
    with psycopg.connect(admin_url, autocommit=True, options=SAFE_PATH) as admin:
        if _is_there(admin, wanted.database):
            # Before anything: the passwords of roles are the whole cluster's.
            _look_before(inside, wanted.schema)
        steps = list(_make_roles(admin, wanted))
        steps += _make_database(admin, wanted.database)
    with psycopg.connect(inside, options=SAFE_PATH) as admin:
        steps += _close_database(admin, wanted.database)
        steps += _make_schemas(admin, wanted.schema)
        admin.commit()
        changes = apply_rights(admin, wanted.schema, RIGHTS)
        steps.append(f"rights in {wanted.schema}: {changes} changes")
    return steps


def _is_there(admin: psycopg.Connection, database: str) -> bool:
    found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
    return found.fetchone() is not None


def _look_before(url: str, schema: str) -> None:
    with psycopg.connect(url, options=SAFE_PATH) as admin:
        refuse_foreign_objects(admin, schema, role_name(OWNER), OTHER_OWNERS)
        _refuse_shared_roles(admin, schema)


def _make_roles(admin: psycopg.Connection, wanted: Provision) -> Iterator[str]:
    known = {row[0] for row in admin.execute("SELECT rolname FROM pg_roles")}
    for role in map(role_name, ROLES):
        if role not in known:
            admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    for role in LOGIN_ROLES:
        admin.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                _role(role), sql.Literal(wanted.passwords[role])
            )
        )
        yield f"role {role_name(role)} may sign in"
    for login, taken in MAY_TAKE.items():
        for role in taken:
            admin.execute(
                sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(
                    _role(role), _role(login)
                )
            )
            yield f"role {role_name(role)} may be taken by {role_name(login)}"
    # A managed service's administrator is no superuser and must be a member.
    admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(_role(OWNER)))
    yield from _set_up_sessions(admin)


def _role(role: str) -> sql.Identifier:
    return sql.Identifier(role_name(role))


def _set_up_sessions(admin: psycopg.Connection) -> Iterator[str]:
    """How a login's sessions begin, how many there may be, and what is logged."""
    # A role may set its own defaults: what a thief left there goes first.
    for role in LOGIN_ROLES:
        admin.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(_role(role)))
    _set(admin, WORKER, "role", role_name(BEGINS_AS[WORKER]))
    for role, timeouts in TIMEOUTS.items():
        for name, value in timeouts.items():
            _set(admin, role, name, value)
    row = admin.execute("SELECT current_setting('max_connections')::int").fetchone()
    most = row[0] if row else 100
    for role, share in CONNECTIONS.items():
        admin.execute(
            sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(
                _role(role), sql.Literal(int(share * most))
            )
        )
    try:
        for role in LOGIN_ROLES:
            for name, value in DISCREET.items():
                _set(admin, role, name, value)
    except psycopg.errors.InsufficientPrivilege:
        yield (
            "NOT DONE, for want of a superuser: set log_min_error_statement=panic and "
            "log_error_verbosity=terse for the server, or its log keeps what people "
            "wrote"
        )


def _set(admin: psycopg.Connection, role: str, name: str, value: str) -> None:
    admin.execute(
        sql.SQL("ALTER ROLE {} SET {} TO {}").format(
            _role(role), sql.Identifier(name), sql.Literal(value)
        )
    )


def _make_database(admin: psycopg.Connection, name: str) -> list[str]:
    if _is_there(admin, name):
        return [f"database {name} is there"]
    admin.execute(
        sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
            sql.Identifier(name)
        )
    )
    return [f"database {name} made"]


def _refuse_shared_roles(admin: psycopg.Connection, schema: str) -> None:
    for other in SCHEMAS:
        shared = admin.execute(
            """SELECT 1 FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
               WHERE nspname = %s AND relkind = 'r'
                 AND pg_get_userbyid(relowner) = %s LIMIT 1""",
            [other, role_name(OWNER)],
        ).fetchone()
        if other != schema and shared:
            raise SharedRoles(other)


def _close_database(admin: psycopg.Connection, name: str) -> Iterator[str]:
    """Nobody connects, makes temporary tables or writes code but who is named."""
    database = sql.Identifier(name)
    logins = sql.SQL(", ").join(map(_role, LOGIN_ROLES))
    for role in LOGIN_ROLES:
        admin.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(
                _role(role), database
            )
        )
    for statement in (
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {logins}",
        # To refresh the statistics beside their readers: they are the owner's.
        "GRANT TEMPORARY ON DATABASE {database} TO {owner}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    ):
        admin.execute(
            sql.SQL(statement).format(
                database=database, logins=logins, owner=_role(OWNER)
            )
        )
    # Triggers and policies run without it; only making a function or DO asks for it.
    for language in LANGUAGES:
        admin.execute(f"REVOKE USAGE ON LANGUAGE {language} FROM PUBLIC")
        admin.execute(
            sql.SQL("GRANT USAGE ON LANGUAGE {} TO {}").format(
                sql.Identifier(language), _role(OWNER)
            )
        )
    yield from _blunt(admin)
    yield f"database {name} closed to all but {', '.join(map(role_name, LOGIN_ROLES))}"


def _blunt(admin: psycopg.Connection) -> Iterator[str]:
    try:
        with admin.transaction():
            for function in SHARP_FUNCTIONS:
                admin.execute(
                    f"REVOKE EXECUTE ON FUNCTION pg_catalog.{function} FROM PUBLIC"
                )
            admin.execute(
                sql.SQL("GRANT EXECUTE ON FUNCTION pg_catalog.{} TO {}").format(
                    sql.SQL(SHARP_FUNCTIONS[0]), _role(OWNER)
                )
            )
    except psycopg.errors.InsufficientPrivilege:
        yield (
            "NOT DONE, for want of a superuser: "
            + ", ".join(SHARP_FUNCTIONS)
            + " are still everybody's to call"
        )


def _make_schemas(admin: psycopg.Connection, schema: str) -> Iterator[str]:
    # Owned by the administrator: else a schema that is missing would let migrations
    # make their tables here, silently.
    admin.execute(f"CREATE SCHEMA IF NOT EXISTS {EXTENSIONS_SCHEMA}")
    for extension in EXTENSIONS:
        admin.execute(
            f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA {EXTENSIONS_SCHEMA}"
        )
        yield f"extension {extension}"
    everybody = sql.SQL(", ").join(map(_role, ROLES))
    for name in (*SCHEMAS, EXTENSIONS_SCHEMA):
        # The other one is made too, as specified, and stays empty and closed.
        admin.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
    for statement in (
        "GRANT USAGE ON SCHEMA {extensions} TO {everybody}",
        "ALTER SCHEMA {schema} OWNER TO {owner}",
        *(statement for name in SCHEMAS for statement in _closing(name)),
        "GRANT USAGE ON SCHEMA {schema} TO {people}",
    ):
        admin.execute(
            sql.SQL(statement).format(
                schema=sql.Identifier(schema),
                extensions=sql.Identifier(EXTENSIONS_SCHEMA),
                owner=_role(OWNER),
                everybody=everybody,
                people=sql.SQL(", ").join(
                    map(_role, (WEB, ANALYST, *ACTOR_ROLES)),
                ),
            )
        )
    yield f"schema {schema}"


def _closing(schema: str) -> Iterator[str]:
    """Take back what earlier versions gave in both schemas.

    Whoever may put an operator there (the specification's CREATE) decides what the
    owner's statements do. What later migrations make is closed until the list of rights
    opens it.
    """
    mine = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} "
    yield f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC, {{people}}"
    yield mine + "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
    for what in ("TABLES", "SEQUENCES"):
        yield mine + f"IN SCHEMA {schema} REVOKE ALL ON {what} FROM {{people}}"
