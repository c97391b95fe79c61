"""Migration operations for tables that the running version is using.

`MIGRATIONS.md` beside this file says which to take. Each needs `atomic = False` on its
migration, locks a table only for moments, may be run again after an interruption, and
can be reversed.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import (
    NotInTransactionMixin,
    RemoveIndexConcurrently,
)
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
from django.db.migrations.operations import (
    AddField,
    AlterField,
    RemoveField,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from pingvas.core.db.concurrent_indexes import (
    AddIndexConcurrently,
    AddUniqueConcurrently,
)
from pingvas.core.db.online import Column, run_patiently
from pingvas.core.db.renaming import Renaming

__all__ = [
    "AddFilledField",
    "AddIndexConcurrently",
    "AddUniqueConcurrently",
    "ContractRename",
    "DropForgottenField",
    "ExpandRename",
    "FillField",
    "ForgetField",
    "RemoveIndexConcurrently",
    "SetNotNull",
]

Field = models.Field[Any, Any]


def _column(
    operation: Any, app_label: str, editor: Editor, state: ProjectState
) -> Column:
    """The column that `operation` names, as `state` has it."""
    operation._ensure_not_in_transaction(editor)
    model = state.apps.get_model(app_label, operation.model_name)
    return Column(editor, model, model._meta.get_field(operation.name))


def _with_field(
    state: ProjectState, model: tuple[str, str], name: str, field: Field
) -> ProjectState:
    """A copy of `state` whose model still has the field that only its table has."""
    known = state.clone()
    app_label, model_name = model
    known.add_field(app_label, model_name.lower(), name, field, preserve_default=True)
    return known


class AddFilledField(NotInTransactionMixin, AddField):
    """Add a column and give every row that is there a value, in small batches.

    `fill` is an SQL expression over the row; without one, existing rows get the
    field's `db_default`, computed for each row. A NOT NULL field must have a
    `db_default`, for the running version knows nothing of it. ValueError otherwise.
    """

    atomic = False
    # The parent's writes its own arguments alone.
    deconstruct = Operation.deconstruct

    def __init__(
        self, model_name: str, name: str, field: Field, fill: str = "DEFAULT"
    ) -> None:
        self.fill = fill
        if field.unique:
            raise ValueError(f"{name}: make it unique by AddUniqueConcurrently")
        if not field.null and not field.has_db_default():
            raise ValueError(f"{name}: the running version needs a db_default")
        super().__init__(model_name, name, field)

    def describe(self) -> str:
        return f"{super().describe()} and fill it"

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        column = _column(self, app_label, schema_editor, to_state)
        run_patiently(schema_editor, [*column.add_empty(), *column.set_default()])
        column.fill(self.fill)
        if not column.field.null:
            column.set_not_null()

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        column = _column(self, app_label, schema_editor, from_state)
        run_patiently(schema_editor, column.drop())


class FillField(NotInTransactionMixin, Operation):
    """Fill the NULLs of a column with an SQL expression over the row, in batches.

    Reversing it leaves the values: nothing tells them from those that people wrote.
    """

    atomic = False
    reversible = True

    def __init__(self, model_name: str, name: str, fill: str) -> None:
        self.model_name, self.name, self.fill = model_name, name, fill

    def describe(self) -> str:
        return f"Fill the empty rows of {self.name} on {self.model_name}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """No model changes."""

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        _column(self, app_label, schema_editor, to_state).fill(self.fill)

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        """Nothing to undo."""


class SetNotNull(NotInTransactionMixin, AlterField):
    """Make a column NOT NULL once every running version writes it.

    `field` is the field as it will be. IntegrityError when a row still holds NULL.
    """

    atomic = False

    def describe(self) -> str:
        return f"Forbid NULL in {self.name} on {self.model_name}"

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        _column(self, app_label, schema_editor, to_state).set_not_null()

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        column = _column(self, app_label, schema_editor, from_state)
        run_patiently(schema_editor, column.drop_not_null())


class ForgetField(NotInTransactionMixin, RemoveField):
    """Take a field from the models and leave its column to the running version.

    The new version inserts rows without it, so NOT NULL goes when there is no
    `db_default`. `refill` gives those rows a value if this is reversed.
    """

    atomic = False
    deconstruct = Operation.deconstruct

    def __init__(self, model_name: str, name: str, refill: str | None = None) -> None:
        self.refill = refill
        super().__init__(model_name, name)

    def describe(self) -> str:
        return f"Forget {self.name} of {self.model_name}, keeping its column"

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        column = _column(self, app_label, schema_editor, from_state)
        if _needs_a_value(column.field):
            run_patiently(schema_editor, column.drop_not_null())

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        column = _column(self, app_label, schema_editor, to_state)
        if _needs_a_value(column.field):
            if self.refill is not None:
                column.fill(self.refill)
            column.set_not_null()


def _needs_a_value(field: Field) -> bool:
    return not field.null and not field.has_db_default()


class DropForgottenField(NotInTransactionMixin, Operation):
    """Drop the column of a field that an earlier release forgot.

    `field` is what it was, for the reverse: that brings the column back empty.
    """

    atomic = False
    reversible = True

    def __init__(self, model_name: str, name: str, field: Field) -> None:
        self.model_name, self.name, self.field = model_name, name, field

    def describe(self) -> str:
        return f"Drop the forgotten column of {self.name} on {self.model_name}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models forgot it before."""

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        run_patiently(
            schema_editor, self._forgotten(app_label, schema_editor, to_state).drop()
        )

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        column = self._forgotten(app_label, schema_editor, to_state)
        run_patiently(schema_editor, [*column.add_empty(), *column.set_default()])

    def _forgotten(self, app_label: str, editor: Editor, state: ProjectState) -> Column:
        model = (app_label, self.model_name)
        known = _with_field(state, model, self.name, self.field)
        return _column(self, app_label, editor, known)


class ExpandRename(NotInTransactionMixin, Operation):
    """First half of a rename: a new column beside the old one, kept equal by a trigger.

    From here on the models know `new_name` alone, while the running version goes on
    with `old_name`; whichever of the two a statement writes reaches the other. With
    `field` the new column may have another type: `to_new` and `to_old` are then SQL
    expressions in which `{}` stands for the value ("{}::bigint", "{}::integer").
    """

    atomic = False
    reversible = True

    def __init__(
        self,
        model_name: str,
        old_name: str,
        new_name: str,
        field: Field | None = None,
        to_new: str = "{}",
        to_old: str = "{}",
    ) -> None:
        self.model_name, self.field = model_name, field
        self.old_name, self.new_name = old_name, new_name
        self.to_new, self.to_old = to_new, to_old

    def describe(self) -> str:
        return f"Expand {self.old_name} of {self.model_name} to {self.new_name}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        model = self.model_name.lower()
        state.rename_field(app_label, model, self.old_name, self.new_name)
        if self.field is not None:
            state.alter_field(
                app_label, model, self.new_name, self.field, preserve_default=True
            )

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        self._renaming(app_label, schema_editor, from_state, to_state).expand()

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        self._renaming(app_label, schema_editor, to_state, from_state).take_back()

    def _renaming(
        self, app_label: str, editor: Editor, before: Any, after: Any
    ) -> Renaming:
        old = before.apps.get_model(app_label, self.model_name)
        new = after.apps.get_model(app_label, self.model_name)
        return Renaming(
            old=Column(editor, old, old._meta.get_field(self.old_name)),
            new=Column(editor, new, new._meta.get_field(self.new_name)),
            to_new=self.to_new,
            to_old=self.to_old,
        )


class ContractRename(ExpandRename):
    """Second half, in a later release: drop trigger, function and old column.

    No running version may know `old_name` any more. `field` is the old field and the
    expressions are those of ExpandRename: reversing brings column and trigger back.
    """

    def __init__(
        self,
        model_name: str,
        old_name: str,
        new_name: str,
        field: Field,
        to_new: str = "{}",
        to_old: str = "{}",
    ) -> None:
        self.old_field = field
        super().__init__(model_name, old_name, new_name, field, to_new, to_old)

    def describe(self) -> str:
        return f"Drop {self.old_name} of {self.model_name}, now {self.new_name}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models know the new name since the expansion."""

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        before = self._with_old(app_label, from_state)
        self._renaming(app_label, schema_editor, before, to_state).contract()

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: Any, to_state: Any
    ) -> None:
        self._ensure_not_in_transaction(schema_editor)
        before = self._with_old(app_label, to_state)
        self._renaming(app_label, schema_editor, before, to_state).restore()

    def _with_old(self, app_label: str, state: ProjectState) -> ProjectState:
        return _with_field(
            state, (app_label, self.model_name), self.old_name, self.old_field
        )
