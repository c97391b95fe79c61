from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.staff_groups import STAFF_GROUPS, sync_staff_groups


class Command(BaseCommand):
    """Bring the declared staff groups to the database."""

    help = (
        "Makes the staff groups, or gives them back their permissions; may be run "
        "again. Needs a migrated database."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        sync_staff_groups()
        for name, wanted in STAFF_GROUPS.items():
            self.stdout.write(f"{name}: {len(wanted)} permissions")
