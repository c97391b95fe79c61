"""Querysets that are asked with every request: made into SQL once.

To make the statement takes longer than to run it. What it says stays the queryset's to
say: nothing is written out a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from pingvas.core.db.rows import instances

AnyModel = TypeVar("AnyModel", bound=Model)


class FirstOf(Generic[AnyModel]):
    """The first row of `make(**values)`, whose whole columns are asked for.

    stand_ins: a value for each name, unlike any other that the statement has; what the
    queryset makes of the values may not depend on them but by its parameters.
    """

    def __init__(
        self, make: Callable[..., QuerySet[AnyModel]], **stand_ins: object
    ) -> None:
        self._make = make
        self._stand_ins = stand_ins

    def __call__(self, **values: Any) -> AnyModel | None:
        model, text, parameters = self._compiled
        with connection.cursor() as cursor:
            cursor.execute(text, [fill(values) for fill in parameters])
            found = instances(model, cursor.fetchall())
        return found[0] if found else None

    @cached_property
    def _compiled(self) -> tuple[type[AnyModel], str, list[Callable[[Any], Any]]]:
        rows = self._make(**self._stand_ins)[:1]
        text, parameters = rows.query.sql_with_params()
        names = {value: name for name, value in self._stand_ins.items()}
        return rows.model, text, [_filled(names.get(one), one) for one in parameters]


def _filled(name: str | None, constant: Any) -> Callable[[Any], Any]:
    return (lambda values: constant) if name is None else (lambda values: values[name])
