from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections

from pingvas.core.db.ownership import ForeignObjects, refuse_foreign_objects
from pingvas.core.db.releases import VersionTooOld, check_release, record_release
from pingvas.core.db.rights import UnlistedTable, apply_rights
from pingvas.core.db.roles import OWNER, role_name
from pingvas.core.db.safe_connection import safe_connection
from pingvas.rights import OTHER_OWNERS, RIGHTS


class Command(migrate.Command):
    """`migrate`, as the owner of the tables unless told otherwise.

    Looks first whether anybody else put something where the owner's statements would
    find it, and whether the data is that of a version too far ahead. Writes down which
    version may still work with it, and sets the rights of every table last.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Before the system checks, which would look for the connection first.
        alias = options["database"]
        if alias not in connections:
            raise CommandError("Set DATABASE_OWNER_URL: the owner's URL is for migrate")
        _refuse_traps(alias)
        _refuse_older_version(alias)
        output = super().execute(*args, **options)
        if not (options.get("plan") or options.get("check_unapplied")):
            _finish(alias)
        return output


def _refuse_traps(alias: str) -> None:
    with safe_connection(alias) as connection:
        try:
            refuse_foreign_objects(
                connection, settings.DB_SCHEMA, role_name(OWNER), OTHER_OWNERS
            )
        except ForeignObjects as error:
            raise CommandError(str(error)) from None


def _refuse_older_version(alias: str) -> None:
    with safe_connection(alias) as connection:
        try:
            check_release(connection)
        except VersionTooOld as error:
            raise CommandError(str(error)) from None


def _finish(alias: str) -> None:
    with safe_connection(alias) as connection:
        record_release(connection)
        try:
            apply_rights(connection, settings.DB_SCHEMA, RIGHTS)
        except UnlistedTable as error:
            raise CommandError(str(error)) from None
