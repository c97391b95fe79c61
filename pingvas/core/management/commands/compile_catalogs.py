"""`manage.py compile_catalogs`: the translations as the studio reads them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from pingvas.core.catalogs import catalogs, compile_catalog


class Command(BaseCommand):
    help = "Compile every .po file to .mo; needs no gettext tools."

    def handle(self, **options: Any) -> None:
        for source in catalogs():
            source.with_suffix(".mo").write_bytes(compile_catalog(source))
            self.stdout.write(f"{source.parent.parent.name}: compiled")
