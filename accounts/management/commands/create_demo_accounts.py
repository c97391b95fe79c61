from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.services import keep_account
from pingvas.env import env_secret

DEMO_EMAIL = "demo@pingvas.example"
STAFF_EMAIL = "staff@pingvas.example"


class Command(BaseCommand):
    """Make the two accounts of a development machine, or renew their passwords."""

    help = (
        "Makes a demo user and a staff user, for the embedded database alone. Reads "
        "DEMO_PASSWORD and STAFF_PASSWORD; may be run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            # A superuser whose password nobody judged.
            raise CommandError("There are no demo accounts in production.")
        keep_account(
            email=DEMO_EMAIL,
            password=env_secret("DEMO_PASSWORD"),
            display_name="Demo",
        )
        keep_account(
            email=STAFF_EMAIL,
            password=env_secret("STAFF_PASSWORD"),
            display_name="Staff",
            is_staff=True,
        )
        self.stdout.write(f"accounts {DEMO_EMAIL} and {STAFF_EMAIL}")
