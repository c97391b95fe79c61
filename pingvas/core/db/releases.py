"""Which versions may work with the data: the one that migrated it, and the one before.

`released.txt` beside each app's migrations names the last one that the last release
carries. So whoever runs `migrate` knows what the version before it knows, and writes
that down in the database; a version that lacks any of it is further back, and refuses
to work. Of its own next release a version knows nothing, and bears it: that is what
`check_migrations` is for.

It stands in the comment on Django's table of migrations: there before any table of
ours, the owner's to write and everybody's to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from psycopg import sql

RELEASED_FILE = "released.txt"
TABLE = "django_migrations"
WORDS = "Whoever works with this data knows "
# By the catalogue: a schema that this login has no right to has no table for it either.
_READ = """
    SELECT obj_description(pg_class.oid, 'pg_class')
    FROM pg_catalog.pg_class
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s AND relname = %s
"""


class VersionTooOld(Exception):
    """The data takes migrations for granted that this version does not know."""

    def __init__(self, unknown: list[str]) -> None:
        super().__init__(
            f"the data needs a newer version: this one does not know "
            f"{', '.join(unknown)}, and a version runs beside the next one alone"
        )


def our_apps() -> dict[str, AppConfig]:
    """This project's own apps by label, not those of an environment inside it."""
    return {app.label: app for app in apps.get_app_configs() if _is_ours(app)}


def _is_ours(app: AppConfig) -> bool:
    path = Path(app.path)
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts


def released_file(label: str) -> Path | None:
    """Where the app's released.txt lies or would lie; None without migrations."""
    folder = _folder(label)
    return folder / RELEASED_FILE if folder else None


def released(label: str) -> str:
    """The last migration that the last release carries; empty where there is none."""
    file = released_file(label)
    return file.read_text(encoding="utf-8").strip() if file and file.exists() else ""


def knows(label: str, name: str) -> bool:
    """Whether this version has the migration. Looks for its file, and reads none."""
    try:
        folder = _folder(label)
    except LookupError:
        return False
    return folder is not None and (folder / f"{name}.py").exists()


def _folder(label: str) -> Path | None:
    usual = f"{apps.get_app_config(label).name}.migrations"
    module = settings.MIGRATION_MODULES.get(label, usual)
    spec = find_spec(module) if module else None
    return Path(spec.origin).parent if spec and spec.origin else None


def check_release(connection: Any) -> None:
    """Raise VersionTooOld where the data is two releases ahead of this version."""
    needed = _needed(connection)
    unknown = [f"{app}.{name}" for app, name in needed.items() if not knows(app, name)]
    if unknown:
        raise VersionTooOld(sorted(unknown))


def record_release(connection: Any) -> None:
    """Write down what the version before this one knows; the owner's to do.

    What an even newer version wrote stays as long as it is true.
    """
    before = _needed(connection)
    after = _latest(before, _applied(connection))
    if after == before:
        return
    said = ", ".join(f"{app}.{name}" for app, name in sorted(after.items()))
    connection.execute(
        sql.SQL("COMMENT ON TABLE {} IS {}").format(
            sql.Identifier(settings.DB_SCHEMA, TABLE), sql.Literal(f"{WORDS}{said}")
        )
    )
    connection.commit()


def _needed(connection: Any) -> dict[str, str]:
    row = connection.execute(_READ, [settings.DB_SCHEMA, TABLE]).fetchone()
    text = (row and row[0]) or ""
    names = text.removeprefix(WORDS) if text.startswith(WORDS) else ""
    return dict(name.split(".", 1) for name in names.split(", ") if name)


def _applied(connection: Any) -> set[tuple[str, str]]:
    rows = sql.SQL("SELECT app, name FROM {}").format(
        sql.Identifier(settings.DB_SCHEMA, TABLE)
    )
    return set(connection.execute(rows).fetchall())


def _latest(before: Mapping[str, str], applied: set[tuple[str, str]]) -> dict[str, str]:
    """By app the later of what was needed before and what the last release carries.

    Names begin with their number. What is not applied (any more) is not needed.
    """
    named = {*before.items(), *((label, released(label)) for label in our_apps())}
    return dict(sorted(named & applied))
