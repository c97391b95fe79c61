"""What the demo prints: a bar that fills, receipts and the ledger."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from demo.promises import Picture
from pingvas.local.console import say, write_line

Json = dict[str, Any]
WIDTH = 32


class ProgressBar:
    """One line that fills; into a pipe, one line for every tenth.

    Args:
        total: steps of all pictures together.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._steps: dict[str, int] = {}
        self._shown = -1
        self._is_live = sys.stdout.isatty()

    def advance(self, job_id: str, step: int) -> None:
        """Note how far one job is."""
        self._steps[job_id] = max(step, self._steps.get(job_id, 0))
        self._show(min(1.0, sum(self._steps.values()) / self._total))

    def finish(self) -> None:
        """Show it full and leave the line."""
        self._show(1.0)
        if self._is_live:
            write_line("")

    def _show(self, part: float) -> None:
        grain = 100 if self._is_live else 10
        now = int(part * grain)
        if now == self._shown:
            return
        self._shown = now
        filled = int(part * WIDTH)
        line = f"  [{'#' * filled}{'.' * (WIDTH - filled)}] {part:4.0%}"
        if self._is_live:
            sys.stdout.write(f"\r{line}")
            sys.stdout.flush()
        else:
            write_line(line)


def print_receipts(pictures: Sequence[Picture]) -> None:
    """What each picture took, cost and gave back."""
    say("영수증", "Receipt")
    phases = list(pictures[0].receipt["milliseconds"] or {})
    write_line(_row(["#", *phases, "held", "charged", "back"], phases))
    for number, picture in enumerate(pictures, 1):
        receipt = picture.receipt
        times = [
            f"{(receipt['milliseconds'] or {}).get(name, 0)} ms" for name in phases
        ]
        money = [receipt[name] for name in ("held", "charged", "released")]
        write_line(_row([number, *times, *money], phases))


def print_ledger(ledger: Sequence[Json], credits: Json) -> None:
    """Every posting, oldest first, and the balance that they add up to."""
    say("원장", "Ledger")
    for row in reversed(ledger):
        write_line(
            f"  {row['sequence']:>3}  {row['created_at'][:19]}  {row['type']:<20}"
            f"{row['amount']:>+6}  = {row['balance_after']}"
        )
    say(f"잔액: {credits['balance']} 크레딧", f"Balance: {credits['balance']} credits")


def _row(cells: Sequence[object], phases: Sequence[str]) -> str:
    widths = [3, *(max(10, len(name) + 1) for name in phases), 6, 9, 6]
    return "  " + "".join(
        f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)
    )
