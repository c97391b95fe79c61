"""`manage.py audit_ledger`: prove the ledger, the balances and the holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services.audit import CHECKS, Fault, audit_ledger
from billing.services.audit_record import remember_audit


class Command(BaseCommand):
    help = "Check the ledger, balances and holds of every user; exit 1 on any fault."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object instead of lines"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        faults = audit_ledger()
        remember_audit(faults)
        if options["json"]:
            self.stdout.write(_as_json(faults))
        else:
            for fault in faults:
                self.stdout.write(str(fault))
        if faults:
            raise CommandError(f"{len(faults)} rows at fault")
        if not options["json"]:
            self.stdout.write(f"The books are right: {len(CHECKS)} checks passed.")


def _as_json(faults: list[Fault]) -> str:
    answer = {
        "ok": not faults,
        "checks": list(CHECKS),
        "faults": [asdict(fault) for fault in faults],
    }
    return json.dumps(answer, default=str, ensure_ascii=False)
