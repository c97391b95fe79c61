"""Indexes and unique constraints built while people write to the table."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres import operations
from django.contrib.postgres.operations import NotInTransactionMixin
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
from django.db.migrations.operations import AddConstraint

from pingvas.core.db.online import run_patiently
from pingvas.core.db.schema import Index


def _lookup(editor: Editor, sql: str, name: str) -> Any:
    """The first value that `sql` finds for the relation `name`; None without one."""
    if editor.collect_sql:
        return None
    with editor.connection.cursor() as cursor:
        cursor.execute(sql, [str(editor.quote_name(name))])
        row = cursor.fetchone()
    return row and row[0]


def _has_index(editor: Editor, name: str) -> bool:
    """Whether the index is there and complete; one left half-built is dropped."""
    valid = _lookup(
        editor,
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
        name,
    )
    if valid is False:
        editor.execute(f"DROP INDEX CONCURRENTLY {editor.quote_name(name)}", None)
    return bool(valid)


class AddIndexConcurrently(operations.AddIndexConcurrently):
    """Django's, which can be run again after it was interrupted.

    PostgreSQL leaves an invalid index behind: useless, but its name is taken.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        if not _has_index(schema_editor, self.index.name):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddUniqueConcurrently(NotInTransactionMixin, AddConstraint):
    """Add a UniqueConstraint whose index is built beforehand, without a lock.

    IntegrityError when rows repeat a value: put them right and run it again.
    """

    atomic = False

    def __init__(self, model_name: str, constraint: models.UniqueConstraint) -> None:
        if constraint.deferrable or constraint.nulls_distinct is not None:
            raise ValueError(
                f"{constraint.name}: this kind cannot be built concurrently"
            )
        self.unique: Any = constraint  # the stubs lack half of its attributes
        super().__init__(model_name, constraint)

    def describe(self) -> str:
        return f"Concurrently create constraint {self.constraint.name}"

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        model = to_state.apps.get_model(app_label, self.model_name)
        if not _has_index(schema_editor, self.constraint.name):
            schema_editor.execute(self._index_sql(model, schema_editor), None)
        if self._is_only_an_index or self._exists(schema_editor):
            return
        table = schema_editor.quote_name(model._meta.db_table)
        name = schema_editor.quote_name(self.constraint.name)
        adopt = f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"
        run_patiently(schema_editor, [adopt])

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        remove = str(self.constraint.remove_sql(model, schema_editor))
        run_patiently(schema_editor, [remove])

    @property
    def _is_only_an_index(self) -> bool:
        """Django makes these kinds as an index alone: PostgreSQL has no constraint."""
        it = self.unique
        return bool(it.condition or it.expressions or it.include or it.opclasses)

    def _exists(self, editor: Editor) -> bool:
        found = "SELECT true FROM pg_constraint WHERE conindid = to_regclass(%s)"
        return bool(_lookup(editor, found, self.constraint.name))

    def _index_sql(self, model: type[models.Model], editor: Editor) -> str:
        it = self.unique
        index = Index(
            *it.expressions,
            fields=it.fields,
            name=it.name,
            condition=it.condition,
            include=it.include or None,
            opclasses=it.opclasses,
        )
        sql = str(index.create_sql(model, editor, concurrently=True))
        return sql.replace("CREATE INDEX", "CREATE UNIQUE INDEX", 1)
