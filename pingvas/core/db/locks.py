"""The locks of a migration in one transaction: had all at once, or not held at all."""

from __future__ import annotations

from typing import Any

from django.db import NotSupportedError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from pingvas.core.db.online import run_patiently

# A column, or a key that refers to another table: nobody reads or writes meanwhile.
CHANGED = "ACCESS EXCLUSIVE"
# A trigger, or a key of another table that refers to this one: nobody writes.
REFERRED = "SHARE ROW EXCLUSIVE"


class LockTables(Operation):
    """Lock the tables that the rest of an atomic migration is about, before all else.

        LockTables(generation_jobs=CHANGED, users=REFERRED)

    The first is waited for, two seconds at a time. The others are taken only if they
    are free that moment, or else all is let go and tried again: nobody's transaction,
    whatever its order of tables, is ever in a circle with this one. Reversing locks
    nothing beforehand. NotSupportedError outside a transaction, OperationalError when
    they were not to be had in 30 tries.
    """

    reversible = True

    def __init__(self, **modes: str) -> None:
        self.modes = modes

    def describe(self) -> str:
        return f"Lock {', '.join(self.modes)}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """No model changes."""

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        if not schema_editor.connection.in_atomic_block:
            raise NotSupportedError("the locks would not outlast this operation")
        first, *others = (
            f"LOCK TABLE {schema_editor.quote_name(table)} IN {mode} MODE"
            for table, mode in self.modes.items()
        )
        run_patiently(schema_editor, [first, *(f"{lock} NOWAIT" for lock in others)])

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        """Nothing to undo."""
