"""Stop a migration before it makes tables in the wrong place or for the wrong owner."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections

from pingvas.core.db.roles import OWNER, role_name


def refuse_wrong_place(sender: Any, using: str, **kwargs: Any) -> None:
    """Receiver of pre_migrate.

    A schema that does not exist would silently put every table into `extensions`; and
    tables owned by `app_user` would not be held to their row-level security.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT current_schema(), current_user")
        schema, role = cursor.fetchone()
    if schema != settings.DB_SCHEMA:
        raise CommandError(
            f"The schema {settings.DB_SCHEMA} does not exist here (tables would go to "
            f"{schema}). Run manage.py provision_database first."
        )
    if role != role_name(OWNER):
        raise CommandError(
            f"{role} must not own tables: run manage.py migrate with "
            "DATABASE_OWNER_URL set."
        )
