from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from pingvas.core.db.migration_safety import Finding, UnknownRelease, find_dangers
from pingvas.core.db.releases import RELEASED_FILE, our_apps, released, released_file

GUIDE = "pingvas/core/db/MIGRATIONS.md"


class Command(BaseCommand):
    """Fails on a migration that would lock or break the version that is running."""

    help = (
        "Reads the migrations that are newer than the last release (released.txt in "
        "each app's migrations) and fails on those that a running version could not "
        f"bear. Needs no database. {GUIDE} says what to do instead."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--mark-released",
            action="store_true",
            help="write released.txt for what is here now (when a release is tagged)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        loader = MigrationLoader(None)
        ours = {k: app for k, app in our_apps().items() if k in loader.migrated_apps}
        if options["mark_released"]:
            self._mark(loader, sorted(ours))
            return
        marks = {label: released(label) for label in sorted(ours)}
        for label in (label for label, name in marks.items() if not name):
            self.stdout.write(f"{label}: not released yet, nothing runs on it")
        try:
            findings = find_dangers(
                loader.graph,
                {label: app.name for label, app in ours.items()},
                {label: name for label, name in marks.items() if name},
                loader.unmigrated_apps,
            )
        except UnknownRelease as error:
            raise CommandError(
                f"{RELEASED_FILE} names {error}, which is not there. After renaming a "
                "migration that no server has run, use --mark-released."
            ) from None
        self._report(findings)

    def _mark(self, loader: MigrationLoader, labels: list[str]) -> None:
        for label in labels:
            leaves = [name for app, name in loader.graph.leaf_nodes(label)]
            if (file := released_file(label)) is not None:
                file.write_text(f"{leaves[0]}\n", encoding="utf-8")
                self.stdout.write(f"{label}: released up to {leaves[0]}")

    def _report(self, findings: list[Finding]) -> None:
        for finding in findings:
            self.stdout.write(
                _allowed(finding) if finding.reason else _refused(finding)
            )
        refused = sum(not finding.reason for finding in findings)
        if refused:
            raise CommandError(
                f"{refused} dangerous operation(s) in migrations. See {GUIDE}."
            )
        self.stdout.write(f"Migrations are safe to run ({len(findings)} by a reason).")


def _file(migration: Migration) -> str:
    path = Path(str(sys.modules[type(migration).__module__].__file__))
    inside = path.is_relative_to(settings.BASE_DIR)
    return str(path.relative_to(settings.BASE_DIR) if inside else path)


def _refused(finding: Finding) -> str:
    danger = finding.danger
    return (
        f"{_file(finding.migration)}: {finding.operation} [{danger.rule}]\n"
        f"  why:     {danger.why}\n"
        f"  instead: {danger.instead}\n"
        f'  or:      safe_because = {{"{finding.key}": "..."}}'
    )


def _allowed(finding: Finding) -> str:
    return (
        f"{_file(finding.migration)}: {finding.operation} [{finding.danger.rule}] "
        f"allowed: {finding.reason}"
    )
