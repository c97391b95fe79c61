"""Model parts that make Django's DDL match the specification to the letter."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import uuid4

from django.contrib.postgres.indexes import GinIndex as DjangoGinIndex
from django.db import models

from pingvas.core.db.functions import GenRandomUUID, Now

_ST = TypeVar("_ST")
_GT = TypeVar("_GT")
OnDelete = Literal["CASCADE", "SET NULL"]

LONGEST_NAME = 63


class Index(models.Index):
    """An index whose name may use PostgreSQL's 63 characters, not Django's 30."""

    max_name_length = LONGEST_NAME


class GinIndex(DjangoGinIndex):
    """A GIN index with the same room for its name."""

    max_name_length = LONGEST_NAME


# Django would keep the ON DELETE action to itself and index every key. Here the action
# is part of the column ("REFERENCES users (id) ON DELETE CASCADE"), so that it also
# holds for statements that Django never sees, and indexes are only those we name.
# A changed action needs RunSQL: Django's AlterField would not touch the constraint.
_OURS = {"on_delete": models.DO_NOTHING, "db_constraint": False, "db_index": False}


def _with_action(deconstructed: Any, action: str) -> Any:
    name, path, args, kwargs = deconstructed
    kwargs = {key: value for key, value in kwargs.items() if key not in _OURS}
    return name, path, args, {**kwargs, "db_on_delete": action}


def _references(
    field: models.ForeignKey[Any, Any], action: str, connection: Any
) -> str:
    quote = connection.ops.quote_name
    table = quote(field.remote_field.model._meta.db_table)
    column = quote(field.target_field.column)
    return f"REFERENCES {table} ({column}) ON DELETE {action}"


class ForeignKey(models.ForeignKey[_ST, _GT]):
    """A foreign key whose ON DELETE action lives in the database."""

    def __init__(self, to: Any, db_on_delete: OnDelete, **kwargs: Any) -> None:
        self.db_on_delete = db_on_delete
        super().__init__(to, **{**kwargs, **_OURS})

    def deconstruct(self) -> Any:
        return _with_action(super().deconstruct(), self.db_on_delete)

    def db_type_suffix(self, connection: Any) -> str:
        return _references(self, self.db_on_delete, connection)


class OneToOneField(models.OneToOneField[_ST, _GT]):
    """The same for a key that is unique as well."""

    def __init__(self, to: Any, db_on_delete: OnDelete, **kwargs: Any) -> None:
        self.db_on_delete = db_on_delete
        super().__init__(to, **{**kwargs, **_OURS})

    def deconstruct(self) -> Any:
        return _with_action(super().deconstruct(), self.db_on_delete)

    def db_type_suffix(self, connection: Any) -> str:
        return _references(self, self.db_on_delete, connection)


def uuid_key() -> models.UUIDField[Any, Any]:
    """A key made in Python and, for statements from outside, in the database."""
    return models.UUIDField(
        primary_key=True, default=uuid4, db_default=GenRandomUUID(), editable=False
    )


def written(at: Any) -> str:
    """A time in a row's name, the same in every language; none before it is known."""
    return f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else "-"


def created_at() -> models.DateTimeField[Any, Any]:
    return models.DateTimeField(db_default=Now(), editable=False)


def updated_at(**kwargs: Any) -> models.DateTimeField[Any, Any]:
    """Kept by the table's `set_updated_at` trigger, never by Python."""
    return models.DateTimeField(null=True, blank=True, editable=False, **kwargs)
