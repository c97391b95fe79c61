"""Makes the database's rights what the list says (`pingvas.rights`), and reads them.

Default privileges give nothing, so a table that nobody listed is closed; it also stops
`migrate`, which runs this at its end, as `provision_database` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from psycopg import sql

from pingvas.core.db.roles import role_name

# What a role may do with a table: "SELECT, UPDATE (display_name, avatar_url)".
Rights = Mapping[str, Mapping[str, str]]

_VERB = re.compile(r"(\w+)(?:\s*\(([^)]*)\))?")
PUBLIC = "public"
# Two at a time would find the same rows of the catalogs changed.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('pingvas.rights'))"


class Right(NamedTuple):
    """`role` may do `verb` with the table, or with one column of it."""

    table: str
    role: str
    verb: str
    column: str = ""


class UnlistedTable(Exception):
    """A table without a line in the list; nobody has a right to it."""

    def __init__(self, tables: list[str]) -> None:
        super().__init__(
            f"No rights are listed for {', '.join(tables)}: add a line for each to "
            "pingvas/rights.py, which says who may do what with it."
        )


def listed_rights(rights: Rights) -> set[Right]:
    """The list's lines one by one, with the names that roles have in this cluster."""
    return {
        Right(table, role_name(role), verb.upper(), column.strip())
        for table, roles in rights.items()
        for role, words in roles.items()
        for verb, columns in _VERB.findall(words)
        for column in (columns.split(",") if columns else [""])
    }


_TABLES = """
    SELECT relname::text FROM pg_catalog.pg_class
    WHERE relnamespace = %(schema)s::regnamespace
      AND relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_COLUMNS = """
    SELECT relname::text, attname::text FROM pg_catalog.pg_attribute
    JOIN pg_catalog.pg_class AS relation ON relation.oid = attrelid
    WHERE relnamespace = %(schema)s::regnamespace AND attnum > 0 AND NOT attisdropped
"""
# Of everybody but the owner. Role 0 is PUBLIC.
_GIVEN = """
    SELECT relname::text, coalesce(grantee.rolname::text, 'public'),
        acl.privilege_type, ''
    FROM pg_catalog.pg_class AS relation
    CROSS JOIN LATERAL aclexplode(relation.relacl) AS acl
    LEFT JOIN pg_catalog.pg_roles AS grantee ON grantee.oid = acl.grantee
    WHERE relnamespace = %(schema)s::regnamespace AND acl.grantee <> relation.relowner
      AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT relname::text, coalesce(grantee.rolname::text, 'public'),
        acl.privilege_type, attname::text
    FROM pg_catalog.pg_attribute
    JOIN pg_catalog.pg_class AS relation ON relation.oid = attrelid
    CROSS JOIN LATERAL aclexplode(attacl) AS acl
    LEFT JOIN pg_catalog.pg_roles AS grantee ON grantee.oid = acl.grantee
    WHERE relnamespace = %(schema)s::regnamespace AND acl.grantee <> relation.relowner
      AND NOT attisdropped
"""
# What a policy or a query calls: nobody needs one of ours yet.
_FUNCTIONS = """
    SELECT p.oid::regprocedure::text, coalesce(grantee.rolname::text, 'public')
    FROM pg_catalog.pg_proc AS p
    CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) AS acl
    LEFT JOIN pg_catalog.pg_roles AS grantee ON grantee.oid = acl.grantee
    WHERE pronamespace = %(schema)s::regnamespace AND acl.grantee <> proowner
"""


def given_rights(connection: Any, schema: str) -> set[Right]:
    """What the catalogs say of the schema's tables, views and sequences."""
    rows = connection.execute(_GIVEN, {"schema": schema}).fetchall()
    return {Right(table, role, verb, column) for table, role, verb, column in rows}


def apply_rights(connection: Any, schema: str, rights: Rights) -> int:
    """Give what is listed and take back everything else; how many changes that took.

    `connection` is the owner's or an administrator's, and searches pg_catalog alone.
    Lines for what is not migrated yet are passed over. Commits, and only then raises
    UnlistedTable: the rights of all other tables are set by then.
    """
    connection.execute(_LOCK)
    tables = _names(connection, _TABLES, schema)
    columns = _names(connection, _COLUMNS, schema)
    wanted = {
        right
        for right in listed_rights(rights)
        if (right.table in tables and not right.column)
        or (right.table, right.column) in columns
    }
    surplus = given_rights(connection, schema) - wanted
    changes = _run(connection, _statements("REVOKE", surplus, schema))
    # Read again: what is revoked of a table goes from its columns too.
    lacking = wanted - given_rights(connection, schema)
    changes += _run(connection, _statements("GRANT", lacking, schema))
    changes += _run(connection, _close_functions(connection, schema))
    connection.commit()
    unlisted = sorted(tables - rights.keys())
    if unlisted:
        raise UnlistedTable(unlisted)
    return changes


def _run(connection: Any, statements: Iterable[sql.Composed]) -> int:
    count = 0
    for statement in statements:
        connection.execute(statement)
        count += 1
    return count


def _names(connection: Any, query: str, schema: str) -> set[Any]:
    rows = connection.execute(query, {"schema": schema}).fetchall()
    return {row[0] if len(row) == 1 else tuple(row) for row in rows}


def _statements(what: str, rights: set[Right], schema: str) -> Iterator[sql.Composed]:
    for right in sorted(rights):
        column = sql.Identifier(right.column) if right.column else None
        yield sql.SQL("{} {}{} ON {} {} {}").format(
            sql.SQL(what),
            sql.SQL(right.verb),
            sql.SQL("({})").format(column) if column else sql.SQL(""),
            sql.Identifier(schema, right.table),
            sql.SQL("FROM" if what == "REVOKE" else "TO"),
            _role(right.role),
        )


def _role(name: str) -> sql.Composable:
    return sql.SQL("PUBLIC") if name == PUBLIC else sql.Identifier(name)


def _close_functions(connection: Any, schema: str) -> list[sql.Composed]:
    """Take EXECUTE back; triggers run without it."""
    rows = connection.execute(_FUNCTIONS, {"schema": schema}).fetchall()
    revoke = sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM {}")
    # PostgreSQL's own spelling of a function, quoted and with its arguments.
    return [revoke.format(sql.SQL(name), _role(role)) for name, role in rows]
