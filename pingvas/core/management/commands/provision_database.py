from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from pingvas.core.db.provision import Provision, provision
from pingvas.env import env_secret


class Command(BaseCommand):
    """Make roles, database, schemas, extensions and grants; may be run again."""

    help = (
        "Makes what migrations may not: roles, schemas, extensions and grants. Reads "
        "DATABASE_ADMIN_URL, DB_OWNER_PASSWORD, DB_APP_PASSWORD, DB_READONLY_PASSWORD."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Provision(
            database=settings.DATABASES["default"]["NAME"],
            passwords={
                "pingvas_owner": env_secret("DB_OWNER_PASSWORD"),
                "app_user": env_secret("DB_APP_PASSWORD"),
                "readonly_user": env_secret("DB_READONLY_PASSWORD"),
            },
        )
        for step in provision(env_secret("DATABASE_ADMIN_URL"), wanted):
            self.stdout.write(step)
