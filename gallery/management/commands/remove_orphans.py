from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gallery.orphans import remove_orphans
from pingvas.core.errors import PingvasError


class Command(BaseCommand):
    """Do by hand what the daily sweep does."""

    help = "Removes stored objects, older than a day, that no picture's row names."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="count them and remove none"
        )

        parser.add_argument(
            "--force",
            action="store_true",
            help="remove them even when they are most of what the store has",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = remove_orphans(dry_run=options["dry_run"], force=options["force"])
        except PingvasError as error:
            raise CommandError(str(error)) from error
        verb = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(
            f"{done.seen} objects older than a day, {done.orphans} without a row "
            f"({done.bytes} bytes) {verb}"
        )
