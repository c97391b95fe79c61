"""What may not be done to a table while the version before is running.

One rule for each kind of operation. Tables and columns that came after the last release
are nobody's yet, and anything goes with them; see `migration_context`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    NotInTransactionMixin,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import connection, models
from django.db.migrations import operations
from django.db.migrations.operations.base import Operation

from pingvas.core.db.migration_context import Context, Danger, Field, column_of, name_of
from pingvas.core.db.migration_sql import dangers_in_sql
from pingvas.core.db.operations import (
    AddFilledField,
    AddUniqueConcurrently,
    ContractRename,
    DropForgottenField,
    ForgetField,
    SetNotNull,
)

# Defaults that PostgreSQL computes once for the statement, not for each row.
STABLE_DEFAULTS = {"now", "statement_timestamp", "transaction_timestamp"}


Rule = Callable[[Any, Context], Iterator[Danger]]
RULES: dict[type[Operation], Rule] = {}


def _rule(*kinds: type[Operation]) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


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


@_rule(operations.AddField)
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


@_rule(operations.RemoveField)
def _remove_field(operation: Any, context: Context) -> Iterator[Danger]:
    old = context.model(operation.model_name).fields[operation.name]
    if context.uses(operation.model_name, column_of(operation.name, old)):
        yield Danger(
            "removed-column",
            name_of(operation),
            "The running version reads and writes it in every query of the table.",
            "ForgetField now, DropForgottenField in the next release",
        )


@_rule(operations.RenameField)
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


@_rule(operations.DeleteModel)
def _delete_model(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.name) is not None:
        yield Danger(
            "removed-table",
            name_of(operation),
            "The running version reads and writes the table.",
            "SeparateDatabaseAndState(state_operations=[DeleteModel(...)]) now, a "
            "sql_pair that drops the table in the next release",
        )


@_rule(operations.RenameModel)
def _rename_model(operation: Any, context: Context) -> Iterator[Danger]:
    named = "db_table" in context.model(operation.old_name).options
    if context.table(operation.old_name) is not None and not named:
        yield _renamed_table(operation)


@_rule(operations.AlterModelTable)
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


@_rule(operations.AlterField)
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


@_rule(operations.AddIndex)
def _add_index(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.model_name) is not None:
        yield Danger(
            "index",
            name_of(operation),
            "Building it stops every writer of the table.",
            "AddIndexConcurrently",
        )


@_rule(operations.RemoveIndex)
def _remove_index(operation: Any, context: Context) -> Iterator[Danger]:
    if operation.name in context.known.indexes:
        yield Danger(
            "dropped-index",
            name_of(operation),
            "Dropping it waits for every reader and stops all that come after.",
            "RemoveIndexConcurrently",
        )


@_rule(operations.AddConstraint)
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


@_rule(
    operations.AlterUniqueTogether,
    operations.AlterIndexTogether,
    operations.AlterOrderWithRespectTo,
)
def _alter_together(operation: Any, context: Context) -> Iterator[Danger]:
    if context.table(operation.name) is not None:
        yield Danger(
            "constraint",
            name_of(operation),
            "It builds an index or fills a column under a lock that stops writers.",
            "AddUniqueConcurrently, AddIndexConcurrently or AddFilledField",
        )


@_rule(ValidateConstraint)
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


@_rule(SetNotNull)
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


@_rule(DropForgottenField)
def _drop_forgotten(operation: Any, context: Context) -> Iterator[Danger]:
    column = column_of(operation.name, operation.field)
    if context.uses(operation.model_name, column):
        yield _too_early(operation, "ForgetField")


@_rule(ContractRename)
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


@_rule(operations.RunPython)
def _run_python(operation: Any, context: Context) -> Iterator[Danger]:
    if context.migration.atomic and operation.atomic is not False:
        yield Danger(
            "data-in-one-transaction",
            operation.code.__name__,
            "Every row that it touches stays locked until its last one is done.",
            "FillField; or `atomic = False` and batches that can be run again",
        )


@_rule(operations.RunSQL)
def _run_sql(operation: Any, context: Context) -> Iterator[Danger]:
    known = context.known
    for rule, target, why, instead in dangers_in_sql(
        operation.sql, known.columns, known.indexes
    ):
        yield Danger(rule, target, why, instead)


@_rule(
    AddConstraintNotValid,
    AddFilledField,
    AddIndexConcurrently,
    AddUniqueConcurrently,
    ForgetField,
    RemoveIndexConcurrently,
)
def _made_for_this(operation: Any, context: Context) -> Iterator[Danger]:
    return iter(())


@_rule(operations.SeparateDatabaseAndState)
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
