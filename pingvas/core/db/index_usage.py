"""Which indexes nobody uses, and how large tables and indexes are.

Statistics and catalogues alone: any role may ask, and no row of a table is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections

# Indexes behind a constraint do their work at every write, scanned or not: they are
# told apart, for dropping one would drop the rule with it.
UNUSED_INDEXES = """
SELECT s.relname, s.indexrelname, pg_relation_size(s.indexrelid),
    CASE
        WHEN i.indisprimary THEN 'primary key'
        WHEN i.indisexclusion THEN 'exclusion'
        WHEN i.indisunique THEN 'unique'
    END
FROM pg_stat_user_indexes s
JOIN pg_index i USING (indexrelid)
WHERE s.schemaname = %s AND s.idx_scan = 0
ORDER BY pg_relation_size(s.indexrelid) DESC, s.relname, s.indexrelname
"""
RELATIONS = """
SELECT relname, pg_total_relation_size(oid), pg_relation_size(oid),
    pg_indexes_size(oid)
FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)
    AND relkind IN ('r', 'p', 'm')
ORDER BY pg_total_relation_size(oid) DESC, relname
"""
SINCE = """
SELECT coalesce(stats_reset, pg_postmaster_start_time())
FROM pg_stat_database WHERE datname = current_database()
"""


@dataclass(frozen=True)
class UnusedIndex:
    """Sizes are bytes; `enforces` is the rule that the index keeps, if it keeps one."""

    table: str
    index: str
    size: int
    enforces: str | None


@dataclass(frozen=True)
class TableSize:
    """Bytes: the rows, the indexes, and everything (also what lies in TOAST)."""

    table: str
    total: int
    rows: int
    indexes: int


@dataclass(frozen=True)
class IndexUsage:
    """Counted since `since`: an index that a monthly job needs may look unused."""

    schema: str
    since: datetime
    unused: list[UnusedIndex]
    tables: list[TableSize]


def measure_index_usage(*, schema: str, using: str = "default") -> IndexUsage:
    """Ask the statistics of one schema, over the connection `using`."""
    return IndexUsage(
        schema=schema,
        since=_ask(using, SINCE)[0][0],
        unused=[UnusedIndex(*row) for row in _ask(using, UNUSED_INDEXES, schema)],
        tables=[TableSize(*row) for row in _ask(using, RELATIONS, schema)],
    )


def _ask(using: str, sql: str, *values: str) -> list[tuple[Any, ...]]:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
