"""Changes to a table that people are using: short locks, small transactions.

The SQL beneath `pingvas.core.db.operations`. Every step looks at what is already there,
so a migration that was interrupted can simply be run again. Names carry no schema: the
connection's search_path decides, and dev and prod migrate apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import OperationalError, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
from psycopg.errors import DeadlockDetected, LockNotAvailable

Answer = TypeVar("Answer")
Key = tuple[Any, ...]

# A statement that waits for a table lock makes everybody behind it wait as well. It
# gives up after LOCK_WAIT and lets the queue drain before the next try.
LOCK_WAIT = "2s"
LOCK_TRIES = 30
LOCK_PAUSE_SECONDS = 1.0
# People's statements take rows and tables in an order of their own: of two that wait
# for each other PostgreSQL ends one.
GIVEN_WAY = (LockNotAvailable, DeadlockDetected)
BATCH_ROWS = 1000
LONGEST_NAME = 63
# The second half keeps every batch on the primary key's index: a plan that reads the
# whole table once for each batch would take the square of its size.
FILLING = """
SET LOCAL app.filling = 'on';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off
"""
# Rows are locked in the order of the key: two fills cannot wait in a circle.
FILL_BATCH = """
WITH batch AS (
    SELECT {chosen} FROM {table}
    WHERE {behind} AND {column} IS NULL AND ({only})
    ORDER BY {keys} LIMIT {rows} FOR NO KEY UPDATE
), filled AS (
    UPDATE {table} SET {column} = {value} FROM batch WHERE {same}
)
SELECT {found} FROM batch ORDER BY {backwards} LIMIT 1
"""


def short_name(editor: Editor, *parts: str) -> str:
    """A quoted name within PostgreSQL's 63 characters."""
    return str(editor.quote_name("_".join(parts)[:LONGEST_NAME]))


def run_patiently(editor: Editor, statements: Iterable[str]) -> None:
    """Run short statements in one transaction, giving way to whoever has the table.

    Raises OperationalError when the lock was not to be had in LOCK_TRIES tries.
    """

    def run() -> None:
        for statement in statements:
            editor.execute(statement, None)

    if editor.collect_sql:
        run()
    else:
        patiently(editor, run)


def patiently(editor: Editor, act: Callable[[], Answer]) -> Answer:
    """What `act` returns, in a transaction that gives way and is tried again.

    Raises OperationalError as above.
    """
    tries_left = LOCK_TRIES
    while True:
        try:
            with transaction.atomic(editor.connection.alias):
                with editor.connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
                return act()
        except OperationalError as error:
            tries_left -= 1
            if not tries_left or not isinstance(error.__cause__, GIVEN_WAY):
                raise
            time.sleep(LOCK_PAUSE_SECONDS)


@dataclass(frozen=True)
class Column:
    """One column of a table that is there; `model` is a state's, and has `field`."""

    editor: Editor
    model: type[models.Model]
    field: models.Field[Any, Any]

    @property
    def table(self) -> str:
        return str(self.editor.quote_name(self.model._meta.db_table))

    @property
    def column(self) -> str:
        """The column's bare name; a field without one has no place here."""
        return str(self.field.column)

    @property
    def name(self) -> str:
        """The same, quoted."""
        return str(self.editor.quote_name(self.column))

    def add_empty(self) -> list[str]:
        """Statements that add the column nullable and without a default.

        Without a default no row is rewritten, whatever the table's size.
        """
        empty = self.field.__copy__()
        empty.null, empty.db_default = True, models.NOT_PROVIDED
        definition, _ = self.editor.column_sql(self.model, empty)
        suffix = self.field.db_type_suffix(self.editor.connection) or ""
        statements = [
            f"ALTER TABLE {self.table} ADD COLUMN IF NOT EXISTS {self.name} "
            f"{definition} {suffix}".rstrip()
        ]
        if self.field.db_comment:
            comment = self.editor.quote_value(self.field.db_comment)
            statements.append(
                f"COMMENT ON COLUMN {self.table}.{self.name} IS {comment}"
            )
        return statements

    def set_default(self) -> list[str]:
        """Statements that give rows to come the `db_default`; [] when it has none."""
        if not self.field.has_db_default():
            return []
        value, params = self.editor.db_default_sql(self.field)
        change = f"{self._alter} SET DEFAULT {value}"
        ops: Any = self.editor.connection.ops  # PostgreSQL's, wider than the stubs'
        return [str(ops.compose_sql(change, params))]

    def drop_default(self) -> list[str]:
        return [f"{self._alter} DROP DEFAULT"]

    def drop_not_null(self) -> list[str]:
        return [f"{self._alter} DROP NOT NULL"]

    def drop(self) -> list[str]:
        return [f"ALTER TABLE {self.table} DROP COLUMN IF EXISTS {self.name}"]

    def set_not_null(self) -> None:
        """Forbid NULL without reading the table under an exclusive lock.

        PostgreSQL takes a validated CHECK as proof, so SET NOT NULL reads nothing.
        Raises IntegrityError when a row still holds NULL.
        """
        check = short_name(
            self.editor, self.model._meta.db_table, self.column, "filled"
        )
        alter = f"ALTER TABLE {self.table}"
        drop = f"{alter} DROP CONSTRAINT IF EXISTS {check}"
        add = (
            f"{alter} ADD CONSTRAINT {check} CHECK ({self.name} IS NOT NULL) NOT VALID"
        )
        run_patiently(self.editor, [drop, add])
        run_patiently(self.editor, [f"{alter} VALIDATE CONSTRAINT {check}"])
        run_patiently(self.editor, [f"{self._alter} SET NOT NULL", drop])

    def fill(self, value: str, *, only: str = "true") -> None:
        """Set a NULL column to the SQL expression `value` wherever `only` holds.

        Walks the primary key in batches, each its own transaction: a writer waits for
        one batch at most, and a run that was stopped goes on where NULLs are left.
        """
        if self.editor.collect_sql:
            self.editor.execute(self._batch(value, only, None), None)
            return
        last: Key | None = None
        with UnchangedTimestamp(self):
            while True:
                batch = self._batch(value, only, last)
                last = patiently(self.editor, partial(self._run_batch, batch))
                if last is None:
                    return

    @property
    def _alter(self) -> str:
        return f"ALTER TABLE {self.table} ALTER COLUMN {self.name}"

    def _batch(self, value: str, only: str, last: Key | None) -> str:
        quote = self.editor.quote_name
        keys = [quote(str(field.column)) for field in self.model._meta.pk_fields]
        found = [f"key_{number}" for number in range(len(keys))]
        behind = "true"
        if last is not None:
            limit = ", ".join(str(self.editor.quote_value(part)) for part in last)
            behind = f"({', '.join(keys)}) > ({limit})"
        return FILL_BATCH.format(
            table=self.table,
            column=self.name,
            value=value,
            only=only,
            behind=behind,
            rows=BATCH_ROWS,
            keys=", ".join(keys),
            chosen=", ".join(f"{k} AS {f}" for k, f in zip(keys, found, strict=True)),
            same=" AND ".join(f"{k} = {f}" for k, f in zip(keys, found, strict=True)),
            found=", ".join(found),
            backwards=", ".join(f"{part} DESC" for part in found),
        )

    def _run_batch(self, sql: str) -> Key | None:
        with self.editor.connection.cursor() as cursor:
            cursor.execute(FILLING)
            cursor.execute(sql)
            row: Key | None = cursor.fetchone()
            return row


class UnchangedTimestamp:
    """While a column is filled, `updated_at` keeps its value: no owner changed a row.

    A trigger that fires after the table's own one (triggers fire in the order of their
    names) and only in the transactions that fill. Does nothing without the column.
    """

    def __init__(self, column: Column) -> None:
        self.editor, self.table = column.editor, column.table
        table = column.model._meta.db_table
        self.name = short_name(self.editor, table, "zz_filling")
        self.applies = any(
            field.column == "updated_at" for field in column.model._meta.local_fields
        )

    def __enter__(self) -> None:
        if self.applies:
            run_patiently(self.editor, self._make())

    def __exit__(self, *error: object) -> None:
        if self.applies:
            run_patiently(self.editor, self._remove())

    def _make(self) -> list[str]:
        return [
            f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger "
            "LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := OLD.updated_at; "
            "RETURN NEW; END; $$",
            f"CREATE OR REPLACE TRIGGER {self.name} BEFORE UPDATE ON {self.table} "
            "FOR EACH ROW WHEN (current_setting('app.filling', true) = 'on') "
            f"EXECUTE FUNCTION {self.name}()",
        ]

    def _remove(self) -> list[str]:
        return [
            f"DROP TRIGGER IF EXISTS {self.name} ON {self.table}",
            f"DROP FUNCTION IF EXISTS {self.name}()",
        ]
