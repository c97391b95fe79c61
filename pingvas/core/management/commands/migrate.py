from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections


class Command(migrate.Command):
    """`migrate`, as the owner of the tables unless told otherwise."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Before the system checks, which would look for the connection first.
        if options["database"] not in connections:
            raise CommandError("Set DATABASE_OWNER_URL: the owner's URL is for migrate")
        return super().execute(*args, **options)
