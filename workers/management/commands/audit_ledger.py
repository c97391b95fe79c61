"""`manage.py audit_ledger`: prove the ledger, the balances and the holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services.audit import CHECKS
from workers.ledger_audit import Audit, audit


class Command(BaseCommand):
    help = (
        "Check the ledger, balances and holds of every user, and the ledger against "
        "its last signed root where LEDGER_SIGNING_KEY is; exit 1 on any fault."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object instead of lines"
        )
        parser.add_argument(
            "--accept",
            action="store_true",
            help="sign the ledger as it stands, whatever is found",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        done = audit(accept=options["accept"])
        if options["json"]:
            self.stdout.write(_as_json(done))
        else:
            for line in _as_lines(done):
                self.stdout.write(line)
        if options["accept"] and not done.signed:
            raise CommandError("no root was signed: no key, or the store is away")
        if done.faults and not options["accept"]:
            raise CommandError(f"{len(done.faults)} rows at fault")


def _as_lines(done: Audit) -> list[str]:
    lines = [str(fault) for fault in done.faults]
    if not done.faults:
        lines.append(f"The books are right: {len(CHECKS)} checks passed.")
    if not done.has_key:
        lines.append(
            "Not compared with a signed root: that takes LEDGER_SIGNING_KEY and "
            "WORKER_KIND=maintenance."
        )
    elif done.compared_with:
        lines.append(f"Compared with the signed root {done.compared_with}.")
    else:
        lines.append("No root has been signed yet.")
    return [*lines, f"Signed {done.signed}."] if done.signed else lines


def _as_json(done: Audit) -> str:
    answer = {
        "ok": not done.faults,
        "checks": list(CHECKS),
        "faults": [asdict(fault) for fault in done.faults],
        "compared_with": done.compared_with,
        "signed": done.signed,
    }
    return json.dumps(answer, default=str, ensure_ascii=False)
