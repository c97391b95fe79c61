"""What may not be done to a column while the version before is running."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.db import connection, models
from django.db.migrations import operations
from django.db.migrations.operations.base import Operation

from pingvas.core.db.migration_context import (
    Context,
    Danger,
    Field,
    Rule,
    column_of,
    name_of,
)
from pingvas.core.db.operations import ContractRename, DropForgottenField, SetNotNull

# Defaults that PostgreSQL computes once for the statement, not for each row.
STABLE_DEFAULTS = {"now", "statement_timestamp", "transaction_timestamp"}


def _add_field(operation: Any, context: Context) -> Iterator[Danger]:
    new = operation.field
    if context.table(operation.model_name) is None or new.many_to_many:
        return
    name = name_of(operation)
    if not (new.null or new.generated or new.has_db_default()):
        yield Danger(
            "required-column",
            name,
            "The running version inserts rows without it: every insert would fail.",
            "null=True now, FillField and SetNotNull in the next release; or a "
            "db_default",
        )
    if new.generated or (new.has_db_default() and not _is_stable(new.db_default)):
        yield Danger(
            "rewritten-table",
            name,
            "A value computed for each row rewrites the whole table under a lock.",
            "AddFilledField",
        )
    yield from _new_checks(operation, None, new)


def _is_stable(default: Any) -> bool:
    if isinstance(default, models.Value) or not hasattr(default, "resolve_expression"):
        return True
    return str(getattr(default, "function", "")).lower() in STABLE_DEFAULTS


def _new_checks(operation: Any, old: Field | None, new: Field) -> Iterator[Danger]:
    """Indexes and checks that come with a field's own options."""
    name = name_of(operation)
    if new.unique and not (old and old.unique):
        yield Danger(
            "unique-column",
            name,
            "Building its index stops every writer of the table.",
            "a UniqueConstraint by AddUniqueConcurrently",
        )
    elif _has_index(new) and not (old and _has_index(old)):
        yield Danger(
            "indexed-column",
            name,
            "Building its index stops every writer of the table.",
            "no db_index (our ForeignKey has none), and AddIndexConcurrently",
        )
    if _has_check(new) and not (old and _has_check(old)):
        yield Danger(
            "checked-column",
            name,
            "Its CHECK is tested on every row under a lock.",
            "a CheckConstraint by AddConstraintNotValid, then ValidateConstraint",
        )


def _has_index(item: Field) -> bool:
    return bool(getattr(item, "db_index", False))


def _has_check(item: Field) -> bool:
    return item.get_internal_type() in connection.data_type_check_constraints


def _remove_field(operation: Any, context: Context) -> Iterator[Danger]:
    old = context.model(operation.model_name).fields[operation.name]
    if context.uses(operation.model_name, column_of(operation.name, old)):
        yield Danger(
            "removed-column",
            name_of(operation),
            "The running version reads and writes it in every query of the table.",
            "ForgetField now, DropForgottenField in the next release",
        )


def _rename_field(operation: Any, context: Context) -> Iterator[Danger]:
    old = context.model(operation.model_name).fields[operation.old_name]
    column = column_of(operation.old_name, old)
    moved = column != column_of(operation.new_name, old)
    if moved and context.uses(operation.model_name, column):
        yield Danger(
            "renamed-column",
            name_of(operation),
            "The running version asks for the column by its old name.",
            "ExpandRename now, ContractRename in the next release; or keep the "
            "column by db_column",
        )


def _alter_field(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.model_name) is None:
        return
    old, new = _rendered(operation, context)
    name = name_of(operation)
    if old.column != new.column:
        yield Danger(
            "renamed-column",
            name,
            "The running version asks for the column by its old name.",
            "ExpandRename now, ContractRename in the next release",
        )
    if not _widens(_type(old), _type(new)):
        yield Danger(
            "changed-type",
            name,
            f"From {_type(old)} to {_type(new)} rewrites the table under a lock, and "
            "the running version goes on writing the old type.",
            "ExpandRename with `field`, `to_new` and `to_old`",
        )
    if old.null and not new.null:
        yield Danger(
            "not-null",
            name,
            "Every row is read under a lock that stops readers and writers.",
            "FillField, then SetNotNull",
        )
    if old.has_db_default() and not (new.has_db_default() or new.null):
        yield Danger(
            "dropped-default",
            name,
            "The running version leaves the value to the database.",
            "keep the db_default until the next release",
        )
    yield from _new_checks(operation, old, new)


def _rendered(operation: Any, context: Context) -> tuple[Field, Field]:
    """The field before and after, bound to their models: types need the relations."""
    after = context.before.clone()
    operation.state_forwards(context.migration.app_label, after)
    key = (context.migration.app_label, operation.model_name)
    old, new = (
        state.apps.get_model(*key)._meta.get_field(operation.name)
        for state in (context.before.clone(), after)
    )
    return old, new


def _type(item: Field) -> str:
    collation = getattr(item, "db_collation", None)
    return f"{item.db_type(connection)}{f' {collation}' if collation else ''}"


SIZED = re.compile(r"(varchar|numeric)\((\d+)(?:, (\d+))?\)")


def _widens(old: str, new: str) -> bool:
    """Whether PostgreSQL only notes the new type, leaving the rows as they are."""
    if old == new:
        return True
    before, after = SIZED.fullmatch(old), SIZED.fullmatch(new)
    if before and before[1] == "varchar" and new in {"text", "varchar"}:
        return True
    if not before or not after or before[1] != after[1] or before[3] != after[3]:
        return False
    return int(after[2]) >= int(before[2])


def _set_not_null(operation: Any, context: Context) -> Iterator[Danger]:
    column = column_of(operation.name, operation.field)
    table = context.table(operation.model_name)
    unknown = table is not None and not context.uses(operation.model_name, column)
    if unknown and not operation.field.has_db_default():
        yield Danger(
            "required-column",
            name_of(operation),
            "The running version does not know the column and inserts NULL.",
            "SetNotNull in the next release, or a db_default",
        )


def _drop_forgotten(operation: Any, context: Context) -> Iterator[Danger]:
    column = column_of(operation.name, operation.field)
    if context.uses(operation.model_name, column):
        yield _too_early(operation, "ForgetField")


def _contract_rename(operation: Any, context: Context) -> Iterator[Danger]:
    column = column_of(operation.old_name, operation.old_field)
    if context.uses(operation.model_name, column):
        yield _too_early(operation, "ExpandRename")


def _too_early(operation: Any, first: str) -> Danger:
    return Danger(
        "contracted-too-early",
        name_of(operation),
        "The running version still reads and writes the old column.",
        f"a release that has the {first}, then this in the one after it",
    )


FIELD_RULES: dict[type[Operation], Rule] = {
    operations.AddField: _add_field,
    operations.RemoveField: _remove_field,
    operations.RenameField: _rename_field,
    operations.AlterField: _alter_field,
    SetNotNull: _set_not_null,
    DropForgottenField: _drop_forgotten,
    ContractRename: _contract_rename,
}
