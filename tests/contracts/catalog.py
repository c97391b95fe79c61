"""What PostgreSQL itself says is in a schema, as rows that can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pingvas.core.db.roles import ROLES

HERE = Path(__file__).parent


class Thing(NamedTuple):
    """The name of a catalogue entry; `relation` is "" for what belongs to no table."""

    kind: str
    relation: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {'.'.join(filter(None, self[1:]))}"


Catalog = dict[Thing, str]


def read_catalog(connection: Any) -> Catalog:
    """The entries of the schema that is first in the connection's search path."""
    schema = connection.execute("SELECT current_schema()").fetchone()[0]
    query = (HERE / "catalog.sql").read_text(encoding="utf-8")
    rows = connection.execute(query, {"roles": [*ROLES]}).fetchall()
    catalog = {
        Thing(kind, _neutral(relation, schema), name): _neutral(definition, schema)
        for kind, relation, name, definition in rows
    }
    if len(catalog) != len(rows):
        raise AssertionError("two catalogue entries share a name")
    return catalog


def _neutral(text: str, schema: str) -> str:
    """The same text whichever schema it came from."""
    return text.replace(f"{schema}.", "").replace(schema, "SCHEMA")
