"""Who owns what in the application's schemas.

Whoever may make an operator or a function in a schema that the owner searches decides
what the owner's own statements do there. So the owner and the administrator refuse to
work where anything belongs to somebody else. Knows no Django: `psql` asks as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXTENSIONS_SCHEMA = "extensions"
# With nothing in the search path that anybody could have put there.
SAFE_PATH = "-c search_path=pg_catalog"

_CATALOGS = (
    ("table or the like", "pg_class", "rel"),
    ("function", "pg_proc", "pro"),
    ("operator", "pg_operator", "opr"),
    ("type", "pg_type", "typ"),
    ("collation", "pg_collation", "coll"),
    ("conversion", "pg_conversion", "con"),
    ("operator class", "pg_opclass", "opc"),
    ("operator family", "pg_opfamily", "opf"),
    ("text search configuration", "pg_ts_config", "cfg"),
    ("text search dictionary", "pg_ts_dict", "dict"),
    ("statistics", "pg_statistic_ext", "stx"),
)
_THINGS = " UNION ALL ".join(
    f"SELECT '{kind}' AS kind, {prefix}name::text AS name, {prefix}owner AS owner,"  # noqa: S608  # our names
    f" {prefix}namespace AS namespace, '{catalog}'::regclass::oid AS class, oid"
    f" FROM pg_catalog.{catalog}"
    for kind, catalog, prefix in _CATALOGS
)
_FOREIGN = f"""
    SELECT thing.kind, thing.name, pg_get_userbyid(thing.owner)::text
    FROM ({_THINGS}) AS thing
    JOIN pg_catalog.pg_namespace AS schema ON schema.oid = thing.namespace
    WHERE schema.nspname::text = %(schema)s
      AND NOT pg_get_userbyid(thing.owner)::text = ANY(%(owners)s)
      AND NOT EXISTS (
          SELECT 1 FROM pg_catalog.pg_depend AS member
          WHERE member.classid = thing.class AND member.objid = thing.oid
            AND member.deptype = 'e'
      )
    ORDER BY 1, 2
"""  # noqa: S608  # our names


class ForeignObjects(Exception):
    """Something in the schema belongs to another than may own it there."""

    def __init__(self, schema: str, found: list[str]) -> None:
        shown = "; ".join(found[:5]) + (" ..." if len(found) > 5 else "")
        super().__init__(
            f"Refusing to work in the schema {schema}: not everything there belongs "
            f"to its owner ({shown}). Somebody may have put it there to be run with "
            "your rights. Look at it, drop it, and try again."
        )


def foreign_objects(
    connection: Any, schema: str, owner: str, others: Mapping[str, str]
) -> list[str]:
    """What of the schema belongs to neither `owner` nor its listed owner.

    `connection` searches pg_catalog alone (SAFE_PATH). `others`: the role by the name
    of what it may own. Members of extensions are left aside.
    """
    rows = connection.execute(_FOREIGN, {"schema": schema, "owners": [owner]})
    return [
        f"{kind} {name} of {role}"
        for kind, name, role in rows.fetchall()
        if others.get(name) != role
    ]


def refuse_foreign_objects(
    connection: Any, schema: str, owner: str, others: Mapping[str, str]
) -> None:
    """Raise ForeignObjects for the schema or for that of the extensions."""
    for name, owners in ((schema, others), (EXTENSIONS_SCHEMA, {})):
        found = foreign_objects(connection, name, owner, owners)
        if found:
            raise ForeignObjects(name, found)
