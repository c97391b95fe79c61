"""What a migration's operation meets: the models before it, and the version that runs.

The running version is the last release. A table or column that it does not know is
nobody's yet (or no longer anybody's), and may be changed freely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.migrations import Migration
from django.db.migrations.state import ModelState, ProjectState

Field = models.Field[Any, Any]


@dataclass(frozen=True)
class Danger:
    """`rule` and `target` together name it in a migration's `safe_because`."""

    rule: str
    target: str
    why: str
    instead: str


@dataclass
class Known:
    """Tables, their columns, and indexes, of the version that is running."""

    columns: dict[str, set[str]] = field(default_factory=dict)
    indexes: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, state: ProjectState) -> Known:
        known = cls()
        for model in state.models.values():
            if (table := table_of(model)) is not None:
                known.columns[table] = {
                    column_of(name, item) for name, item in model.fields.items()
                }
                known.indexes |= {index.name for index in model.options["indexes"]}
        return known


@dataclass(frozen=True)
class Context:
    """Where an operation stands: its migration and the models just before it."""

    migration: Migration
    before: ProjectState
    known: Known

    def model(self, name: str) -> ModelState:
        found: ModelState = self.before.models[self.migration.app_label, name.lower()]
        return found

    def table(self, model_name: str) -> str | None:
        """The model's table, when the running version uses it; None otherwise."""
        table = table_of(self.model(model_name))
        return table if table in self.known.columns else None

    def uses(self, model_name: str, column: str) -> bool:
        table = self.table(model_name)
        return table is not None and column in self.known.columns[table]


Rule = Callable[[Any, Context], Iterator[Danger]]


def table_of(model: ModelState) -> str | None:
    if not model.options.get("managed", True) or model.options.get("proxy"):
        return None
    return str(model.options.get("db_table") or f"{model.app_label}_{model.name_lower}")


def column_of(name: str, item: Field) -> str:
    key = isinstance(item, models.ForeignKey)
    return str(item.db_column or (f"{name}_id" if key else name))


def name_of(operation: Any) -> str:
    """`model.field` or `model.index`: what the operation is about."""
    thing = (
        getattr(operation, "new_name", None)
        or getattr(getattr(operation, "index", None), "name", None)
        or getattr(getattr(operation, "constraint", None), "name", None)
        or getattr(operation, "name", None)
    )
    model = getattr(operation, "model_name", None) or getattr(operation, "old_name", "")
    return ".".join(str(part).lower() for part in (model, thing) if part) or "-"
