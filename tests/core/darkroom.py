"""A small app with one table, for tests that migrate while people write.

`Darkroom` migrates as the owner; `old_version` and `new_version` in the tests are
statements of `app_user` over a connection of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, migrations, models
from django.db.migrations.state import ProjectState

from pingvas.core.db.functions import GenRandomUUID
from tests.database import connect, owner_connection

APP = "darkroom"
TABLE = "darkroom_photo"
UPDATED_AT = f"""
CREATE TRIGGER {TABLE}_set_updated_at BEFORE UPDATE ON {TABLE}
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION set_updated_at()
"""
CREATE = migrations.CreateModel(
    "Photo",
    [
        (
            "id",
            models.UUIDField(primary_key=True, db_default=GenRandomUUID()),
        ),
        ("caption", models.CharField(max_length=100)),
        ("shelf", models.CharField(max_length=20, db_default="left")),
        ("note", models.TextField(null=True)),
        ("updated_at", models.DateTimeField(null=True)),
    ],
    options={"db_table": TABLE},
)


class Darkroom:
    """The table, and the state of the models that its migrations have reached."""

    def __init__(self) -> None:
        self.state = ProjectState()
        self.migrate(CREATE, migrations.RunSQL(UPDATED_AT))
        with owner_connection() as owner:
            owner.execute(f"GRANT ALL ON {TABLE} TO app_user")
        self.app = connect("DATABASE_URL", autocommit=True)

    def migrate(self, *operations: Any) -> Any:
        """Apply the operations as one migration; returns what `reverse` takes."""
        migration = migrations.Migration("0002_change", APP)
        migration.operations = list(operations)
        migration.atomic = False
        before = self.state.clone()
        with connections["owner"].schema_editor(atomic=False) as editor:
            self.state = migration.apply(self.state.clone(), editor)
        return migration, before

    def reverse(self, applied: Any) -> None:
        migration, before = applied
        with connections["owner"].schema_editor(atomic=False) as editor:
            migration.unapply(before.clone(), editor)
        self.state = before

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as a running version would; returns its rows, if any."""
        cursor = self.app.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def columns(self) -> dict[str, tuple[str, bool, str | None]]:
        """Type, NOT NULL and default of each column, as the catalogue has them."""
        rows = self.sql(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
            "pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a "
            "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
            "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped",
            TABLE,
        )
        return {name: (kind, required, value) for name, kind, required, value in rows}

    def leftovers(self) -> set[str]:
        """Checks, triggers and functions beyond those that the table began with."""
        rows = self.sql(
            "SELECT conname FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype NOT IN ('p', 'n') "
            "UNION SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass "
            "UNION SELECT proname FROM pg_proc WHERE proname ^@ 'darkroom'",
            TABLE,
            TABLE,
        )
        return {row[0] for row in rows} - {f"{TABLE}_set_updated_at"}


@contextmanager
def open_darkroom() -> Iterator[Darkroom]:
    darkroom = Darkroom()
    try:
        yield darkroom
    finally:
        darkroom.app.close()
        connections["owner"].close()
        with owner_connection() as owner:
            owner.execute(f"DROP TABLE IF EXISTS {TABLE} CASCADE")
            for name in ("sync", "zz_filling"):
                found = owner.execute(
                    "SELECT oid::regprocedure::text FROM pg_proc WHERE proname LIKE %s",
                    [f"darkroom%{name}"],
                )
                for (function,) in found.fetchall():
                    owner.execute(f"DROP FUNCTION {function}")
