from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from pingvas.core.db.ownership import ForeignObjects
from pingvas.core.db.provision import PASSWORDS, Provision, SharedRoles, provision
from pingvas.core.db.rights import UnlistedTable
from pingvas.env import env_secret


class Command(BaseCommand):
    """Make roles, database, schemas, extensions and grants; may be run again."""

    help = (
        "Makes what migrations may not: roles, schemas, extensions and grants. Reads "
        f"DATABASE_ADMIN_URL, {', '.join(PASSWORDS.values())}."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Provision(
            database=settings.DATABASES["default"]["NAME"],
            passwords={role: env_secret(name) for role, name in PASSWORDS.items()},
        )
        try:
            steps = provision(env_secret("DATABASE_ADMIN_URL"), wanted)
        except (ForeignObjects, SharedRoles, UnlistedTable) as error:
            raise CommandError(str(error)) from None
        for step in steps:
            self.stdout.write(step)
