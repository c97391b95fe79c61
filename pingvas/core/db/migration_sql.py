"""Dangerous statements in a migration's raw SQL, found by their words.

No parser: it knows the ways in which a table that people use is usually harmed, and the
names of those tables. Bodies of functions are left out; what they do, they do later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# rule, target, why, instead
Found = tuple[str, str, str, str]

NAME = r'(?:"?\w+"?\.)?"?(?P<name>\w+)"?'
NOT_CODE = re.compile(
    r"--[^\n]*|/\*.*?\*/|(?P<tag>\$\w*\$).*?(?P=tag)|'(?:[^']|'')*'", re.DOTALL
)
STOPS = "It stops every writer of the table, and most stop readers too."
BREAKS = "The running version reads and writes it."
TABLE_STATEMENTS = [
    (
        rf"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*? ON (?:ONLY )?{NAME}",
        "sql-index",
        STOPS,
        "AddIndexConcurrently or AddUniqueConcurrently",
    ),
    (
        rf"DROP TABLE (?:IF EXISTS )?{NAME}",
        "sql-removed-table",
        BREAKS,
        "forget the model in this release and drop its table in the next",
    ),
    (
        rf"(?:UPDATE|DELETE FROM) (?:ONLY )?{NAME}",
        "sql-data",
        "Every row that it touches stays locked until its last one is done.",
        "FillField, or batches in a migration with `atomic = False`",
    ),
    (
        rf"(?:TRUNCATE (?:TABLE )?|LOCK (?:TABLE )?|CLUSTER |VACUUM FULL ){NAME}",
        "sql-lock",
        STOPS,
        "nothing of the kind while a version runs",
    ),
    (
        rf"REINDEX (?:TABLE|INDEX) (?!CONCURRENTLY){NAME}",
        "sql-lock",
        STOPS,
        "REINDEX ... CONCURRENTLY",
    ),
]
ALTER_TABLE = re.compile(
    rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{NAME}\*? (?P<rest>.*)", re.IGNORECASE
)
COLUMN = r'"?(?P<column>\w+)"?'
ALTER_ACTIONS = [
    (
        rf"DROP COLUMN (?:IF EXISTS )?{COLUMN}",
        "sql-removed-column",
        BREAKS,
        "ForgetField now, DropForgottenField in the next release",
    ),
    (
        rf"RENAME (?:COLUMN )?{COLUMN} TO",
        "sql-renamed-column",
        "The running version asks for the column by its old name.",
        "ExpandRename now, ContractRename in the next release",
    ),
    (
        r"RENAME TO",
        "sql-renamed-table",
        "The running version asks for the table by its old name.",
        "the old name in db_table",
    ),
    (
        rf"ALTER (?:COLUMN )?{COLUMN} (?:SET DATA )?TYPE",
        "sql-changed-type",
        "It rewrites the table under a lock.",
        "ExpandRename with `field`, `to_new` and `to_old`",
    ),
    (
        rf"ALTER (?:COLUMN )?{COLUMN} SET NOT NULL",
        "sql-not-null",
        "Every row is read under a lock that stops readers and writers.",
        "SetNotNull",
    ),
    (
        rf"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(?!CONSTRAINT|CHECK|UNIQUE){COLUMN} "
        r"(?!.*DEFAULT).*NOT NULL",
        "sql-required-column",
        "The running version inserts rows without it: every insert would fail.",
        "AddField with null=True, or with a db_default",
    ),
    (
        r"ADD (?:CONSTRAINT|CHECK|UNIQUE|EXCLUDE|FOREIGN KEY|PRIMARY KEY)"
        r"(?!.*(?:NOT VALID|USING INDEX))",
        "sql-constraint",
        "Every row is read, or indexed, under a lock that stops writers.",
        "NOT VALID and a later VALIDATE, or AddUniqueConcurrently",
    ),
]
SCHEMA = re.compile(r"\b(dev_pingvas|prod_pingvas)\b")


def dangers_in_sql(
    sql: Any, columns: Mapping[str, set[str]], indexes: set[str]
) -> Iterator[Found]:
    """What is dangerous to the given tables (with their columns) and indexes."""
    text = "\n".join(_texts(sql))
    if schema := SCHEMA.search(text):
        yield (
            "schema-name",
            schema[1],
            "dev_pingvas and prod_pingvas are migrated by the same files.",
            "names without a schema: the search_path decides",
        )
    for statement in NOT_CODE.sub(" ", text).split(";"):
        words = " ".join(statement.split())
        yield from _in_statement(words, columns, indexes)
        if (alter := ALTER_TABLE.match(words)) and alter["name"] in columns:
            yield from _in_alter(alter["name"], alter["rest"], columns)


def _texts(sql: Any) -> Sequence[str]:
    """RunSQL takes a text, or a list of texts and of (text, parameters)."""
    if isinstance(sql, str):
        return [sql]
    return [part if isinstance(part, str) else str(part[0]) for part in sql]


def _in_statement(
    words: str, columns: Mapping[str, set[str]], indexes: set[str]
) -> Iterator[Found]:
    for pattern, rule, why, instead in TABLE_STATEMENTS:
        found = re.match(pattern, words, re.IGNORECASE)
        if found and found["name"] in {*columns, *indexes}:
            yield rule, found["name"], why, instead
    index = re.match(
        rf"DROP INDEX (?!CONCURRENTLY)(?:IF EXISTS )?{NAME}", words, re.IGNORECASE
    )
    if index and index["name"] in indexes:
        yield "sql-dropped-index", index["name"], STOPS, "RemoveIndexConcurrently"
    view = re.match(
        rf"REFRESH MATERIALIZED VIEW (?!CONCURRENTLY){NAME}", words, re.IGNORECASE
    )
    if view:
        instead = "REFRESH MATERIALIZED VIEW CONCURRENTLY"
        yield "sql-lock", view["name"], "Nobody can read it meanwhile.", instead


def _in_alter(
    table: str, rest: str, columns: Mapping[str, set[str]]
) -> Iterator[Found]:
    """One ALTER TABLE may hold several actions, parted by commas outside brackets."""
    for action in re.split(r",\s*(?=ADD |ALTER |DROP |RENAME )", rest, flags=re.I):
        for pattern, rule, why, instead in ALTER_ACTIONS:
            found = re.match(pattern, action, re.IGNORECASE)
            if not found:
                continue
            column = found.groupdict().get("column")
            gone = rule in {"sql-removed-column", "sql-renamed-column"}
            if not gone or column in columns[table]:
                yield rule, f"{table}.{column}" if column else table, why, instead
            break
