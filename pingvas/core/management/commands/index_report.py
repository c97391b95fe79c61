from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS

from pingvas.core.db.index_usage import IndexUsage, measure_index_usage

Row = Sequence[str]


class Command(BaseCommand):
    """Lists indexes that nobody has used, and the sizes of tables and indexes."""

    help = (
        "Lists the indexes of DB_SCHEMA that no query has used since the statistics "
        "began, the largest first, and what tables and indexes take. Reads statistics "
        "alone; app_user and readonly_user may both run it."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="bytes, for programs")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS)

    def handle(self, *args: Any, **options: Any) -> None:
        usage = measure_index_usage(
            schema=settings.DB_SCHEMA, using=options["database"]
        )
        if options["json"]:
            report = json.dumps(asdict(usage), cls=DjangoJSONEncoder, indent=2)
            self.stdout.write(report)
        else:
            self._write(usage)

    def _write(self, usage: IndexUsage) -> None:
        since = f"{usage.since:%Y-%m-%d %H:%M %Z}"
        self.stdout.write(f"Indexes of {usage.schema} not used since {since}\n\n")
        self._table(
            ("table", "index", "size", "enforces"),
            [
                (item.table, item.index, _size(item.size), item.enforces or "-")
                for item in usage.unused
            ],
        )
        spare = sum(item.size for item in usage.unused if not item.enforces)
        self.stdout.write(
            f"\n{_size(spare)} in indexes that serve no query and enforce no rule."
            f"\n\nTables of {usage.schema}\n\n"
        )
        self._table(
            ("table", "total", "rows", "indexes"),
            [
                (item.table, _size(item.total), _size(item.rows), _size(item.indexes))
                for item in usage.tables
            ],
        )

    def _table(self, head: Row, rows: Sequence[Row]) -> None:
        """Columns as wide as they need; sizes stand to the right."""
        every = [head, *rows]
        widths = [max(map(len, column)) for column in zip(*every, strict=True)]
        for row in [head, ["-" * width for width in widths], *rows]:
            cells = [
                cell.rjust(width) if name in SIZES else cell.ljust(width)
                for name, cell, width in zip(head, row, widths, strict=True)
            ]
            self.stdout.write("  ".join(cells).rstrip())


SIZES = {"size", "total", "rows", "indexes"}
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def _size(size: float) -> str:
    """`8192 bytes`, `16 kB`, `3 MB`: as PostgreSQL itself prints them."""
    for unit in UNITS[:-1]:
        if size < 10 * 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.0f} {UNITS[-1]}"
