"""Rows as model instances from statements that are written out.

For claims, settlements and submissions, where several statements share a flight, which
querysets cannot, and where making one takes as long as running it: a quarter of a
millisecond each. The lines `claim`, `settle` and `submit` of bench/RESULTS.md decide
whether that is worth it. Elsewhere a queryset does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model
from django.db.models.expressions import DatabaseDefault

from pingvas.core.db.statements import Bound, join

AnyModel = TypeVar("AnyModel", bound=Model)


@cache
def columns_of(model: type[Model], alias: str) -> str:
    """Every column of the model's table, as `read_rows` wants them selected."""
    names = [field.column for field in model._meta.concrete_fields]
    return ", ".join(f'{alias}."{name}"' for name in names)


def insert_rows(model: type[AnyModel], rows: Sequence[AnyModel]) -> None:
    """Insert new instances of one make; columns left to the database get its defaults.

    What the database filled in is not read back.
    """
    fields = [
        field
        for field in model._meta.concrete_fields
        if not isinstance(getattr(rows[0], field.attname), DatabaseDefault)
    ]
    # Itself: going through the proxy for each value takes as long as the values do.
    database = connections[DEFAULT_DB_ALIAS]
    values = [
        field.get_db_prep_save(getattr(row, field.attname), database)
        for row in rows
        for field in fields
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = f"({', '.join(['%s'] * len(fields))})"
    into = f"INSERT INTO {model._meta.db_table} ({columns})"
    with connection.cursor() as cursor:
        cursor.execute(f"{into} VALUES {', '.join([places] * len(rows))}", values)


def read_together(statements: Iterable[Bound]) -> list[list[tuple[Any, ...]]]:
    """Send several statements in one flight; the rows of each.

    Each sees what was committed before it began, as if they were sent one by one: what
    follows a lock is read as it is behind the lock. WrongParameters where two of them
    mean different things by one name.
    """
    sent = list(statements)
    text, values = join(sent)
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        answers = []
        for _ in sent:
            answers.append(cursor.fetchall() if cursor.description else [])
            cursor.nextset()
        return answers


def instances(model: type[AnyModel], rows: Iterable[Sequence[Any]]) -> list[AnyModel]:
    """The rows, in the order of `columns_of`, as instances of the model."""
    return [_instance(model, row) for row in rows]


def _instance(model: type[AnyModel], row: Sequence[Any]) -> AnyModel:
    names, converters = _shape(model)
    values = list(row)
    for index, convert in converters:
        values[index] = convert(values[index], None, connection)
    return model.from_db(DEFAULT_DB_ALIAS, names, values)


@cache
def _shape(model: type[Model]) -> tuple[list[str], list[tuple[int, Any]]]:
    """The attributes of a row, and the fields that read their values themselves."""
    fields = model._meta.concrete_fields
    converters = [
        (index, field.from_db_value)
        for index, field in enumerate(fields)
        if hasattr(field, "from_db_value")
    ]
    return [field.attname for field in fields], converters
