"""What may not be done to a table while the version before is running.

One rule for each kind of operation; those for columns are in `migration_field_rules`.
Tables and columns that came after the last release are nobody's yet, and anything goes
with them; see `migration_context`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    NotInTransactionMixin,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import models
from django.db.migrations import operations
from django.db.migrations.operations.base import Operation

from pingvas.core.db.migration_context import Context, Danger, Rule, column_of, name_of
from pingvas.core.db.migration_field_rules import FIELD_RULES
from pingvas.core.db.migration_sql import dangers_in_sql
from pingvas.core.db.operations import (
    AddFilledField,
    AddUniqueConcurrently,
    ForgetField,
)


def dangers_of(operation: Operation, context: Context) -> Iterator[Danger]:
    """Everything that the rules say about one operation."""
    yield from _of_any(operation, context)
    for kind in type(operation).__mro__:
        if kind in RULES:
            yield from RULES[kind](operation, context)
            return


NOT_REPEATABLE = (
    operations.CreateModel,
    operations.DeleteModel,
    operations.AddField,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.AddIndex,
    operations.AddConstraint,
)


def _of_any(operation: Operation, context: Context) -> Iterator[Danger]:
    name, migration = name_of(operation), context.migration
    outside = isinstance(operation, NotInTransactionMixin)
    if not operation.reversible:
        yield Danger(
            "irreversible",
            name,
            "A release that fails could not be taken back.",
            "a reverse (reverse_code, reverse_sql or sql_pair); noop where nothing "
            "is to be undone",
        )
    if outside and migration.atomic:
        yield Danger(
            "transaction",
            name,
            "It works in steps of its own and refuses to run in one transaction.",
            "`atomic = False` on the migration",
        )
    alone = len(migration.operations) == 1
    stepwise = not migration.atomic and not alone
    if stepwise and not outside and isinstance(operation, NOT_REPEATABLE):
        yield Danger(
            "not-repeatable",
            name,
            "Without a transaction an interrupted migration is run again from its "
            "start, and this operation cannot be done twice.",
            "a migration of its own for it",
        )


def _delete_model(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.name) is not None:
        yield Danger(
            "removed-table",
            name_of(operation),
            "The running version reads and writes the table.",
            "SeparateDatabaseAndState(state_operations=[DeleteModel(...)]) now, a "
            "sql_pair that drops the table in the next release",
        )


def _rename_model(operation: Any, context: Context) -> Iterator[Danger]:
    named = "db_table" in context.model(operation.old_name).options
    if context.table(operation.old_name) is not None and not named:
        yield _renamed_table(operation)


def _alter_model_table(operation: Any, context: Context) -> Iterator[Danger]:
    table = context.table(operation.name)
    if table is not None and table != operation.table:
        yield _renamed_table(operation)


def _renamed_table(operation: Any) -> Danger:
    return Danger(
        "renamed-table",
        name_of(operation),
        "The running version asks for the table by its old name.",
        "the old name in db_table: a model may be called otherwise than its table",
    )


def _add_index(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.model_name) is not None:
        yield Danger(
            "index",
            name_of(operation),
            "Building it stops every writer of the table.",
            "AddIndexConcurrently",
        )


def _remove_index(operation: Any, context: Context) -> Iterator[Danger]:
    if operation.name in context.known.indexes:
        yield Danger(
            "dropped-index",
            name_of(operation),
            "Dropping it waits for every reader and stops all that come after.",
            "RemoveIndexConcurrently",
        )


def _add_constraint(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.model_name) is None:
        return
    instead = {
        models.CheckConstraint: "AddConstraintNotValid, then ValidateConstraint",
        models.UniqueConstraint: "AddUniqueConcurrently",
    }
    yield Danger(
        "constraint",
        name_of(operation),
        "Every row is read, or indexed, under a lock that stops writers.",
        instead.get(
            type(operation.constraint),
            "a moment when nobody writes: PostgreSQL has no other way",
        ),
    )


def _alter_together(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.name) is not None:
        yield Danger(
            "constraint",
            name_of(operation),
            "It builds an index or fills a column under a lock that stops writers.",
            "AddUniqueConcurrently, AddIndexConcurrently or AddFilledField",
        )


def _validate(operation: Any, context: Context) -> Iterator[Danger]:
    added = {
        other.constraint.name
        for other in context.migration.operations
        if isinstance(other, AddConstraintNotValid)
    }
    if context.migration.atomic and operation.name in added:
        yield Danger(
            "validated-at-once",
            name_of(operation),
            "The lock that added the constraint is held while every row is read.",
            "ValidateConstraint in a migration of its own",
        )


def _run_python(operation: Any, context: Context) -> Iterator[Danger]:
    if context.migration.atomic and operation.atomic is not False:
        yield Danger(
            "data-in-one-transaction",
            operation.code.__name__,
            "Every row that it touches stays locked until its last one is done.",
            "FillField; or `atomic = False` and batches that can be run again",
        )


def _run_sql(operation: Any, context: Context) -> Iterator[Danger]:
    known = context.known
    for rule, target, why, instead in dangers_in_sql(
        operation.sql, known.columns, known.indexes
    ):
        yield Danger(rule, target, why, instead)


def _made_for_this(operation: Any, context: Context) -> Iterator[Danger]:
    return iter(())


def _separate(operation: Any, context: Context) -> Iterator[Danger]:
    before = context.before.clone()
    for part in operation.database_operations:
        yield from dangers_of(part, Context(context.migration, before, context.known))
        part.state_forwards(context.migration.app_label, before)
    for part in operation.state_operations:
        if isinstance(part, operations.RemoveField):
            yield from _forgotten(part, context)


def _forgotten(operation: Any, context: Context) -> Iterator[Danger]:
    old = context.model(operation.model_name).fields[operation.name]
    required = not old.null and not old.has_db_default()
    column = column_of(operation.name, old)
    if required and context.uses(operation.model_name, column):
        yield Danger(
            "forgotten-required-column",
            name_of(operation),
            "The new version inserts rows without it, and the column forbids NULL.",
            "ForgetField",
        )


RULES: dict[type[Operation], Rule] = {
    **FIELD_RULES,
    operations.DeleteModel: _delete_model,
    operations.RenameModel: _rename_model,
    operations.AlterModelTable: _alter_model_table,
    operations.AddIndex: _add_index,
    operations.RemoveIndex: _remove_index,
    operations.AddConstraint: _add_constraint,
    operations.AlterUniqueTogether: _alter_together,
    operations.AlterIndexTogether: _alter_together,
    operations.AlterOrderWithRespectTo: _alter_together,
    ValidateConstraint: _validate,
    operations.RunPython: _run_python,
    operations.RunSQL: _run_sql,
    AddConstraintNotValid: _made_for_this,
    AddFilledField: _made_for_this,
    AddIndexConcurrently: _made_for_this,
    AddUniqueConcurrently: _made_for_this,
    ForgetField: _made_for_this,
    RemoveIndexConcurrently: _made_for_this,
    operations.SeparateDatabaseAndState: _separate,
}
