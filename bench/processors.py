"""Processor time of everything that takes part: what a busy machine cannot distort.

Rates fall when others want the processors too, and not on both sides alike. The time
that the processors spent on one call is the same whoever else is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection
from redis import Redis

from bench.report import Ratio, Rounds

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PROCESSES = Path("/proc")


def spent_seconds() -> float:
    """By PostgreSQL, Redis and this process, with all that they ever started."""
    found = {int(path.name): _stat(path) for path in PROCESSES.glob("[0-9]*")}
    alive = {number: stat for number, stat in found.items() if stat}
    roots = {os.getpid(), _postmaster(alive), _redis()}
    ours = {number for number in alive if _is_under(number, roots, alive)}
    # The last two of the four are of children that have ended.
    ticks = sum(sum(alive[number][1]) for number in ours)
    return ticks / TICKS_A_SECOND


class Meter:
    """Milliseconds of one call, by side, over all rounds."""

    def __init__(self) -> None:
        self.rounds = Rounds()

    def ours(self, measure: Callable[[], float], calls: int) -> float:
        return self._measure(self.rounds.ours, measure, calls)

    def other(self, measure: Callable[[], float], calls: int) -> float:
        return self._measure(self.rounds.other, measure, calls)

    def ratio(self) -> Ratio:
        """How much of our time the bare statements take."""
        upside_down = self.rounds.ratio(name="  processor time of one", unit="ms")
        values = vars(upside_down) | {
            "ratio": 1 / upside_down.ratio,
            "note": "of all processes of each side, servers and clients included; "
            "their quotient, the bare one's over ours",
        }
        return Ratio(**values)

    def _measure(
        self, figures: list[float], measure: Callable[[], float], calls: int
    ) -> float:
        before = spent_seconds()
        rate = measure()
        # Less than a tick cannot be told.
        spent = max(spent_seconds() - before, 1 / TICKS_A_SECOND)
        figures.append(spent / calls * 1000)
        return rate


def _stat(path: Path) -> tuple[int, list[int]] | None:
    """The parent's number, and ticks spent by itself and by children that ended."""
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), [int(ticks) for ticks in fields[11:15]]


def _is_under(number: int, roots: set[int], alive: dict[int, Any]) -> bool:
    while number in alive:
        if number in roots:
            return True
        number = alive[number][0]
    return False


def _postmaster(alive: dict[int, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(alive[cursor.fetchone()[0]][0])


def _redis() -> int:
    with Redis.from_url(os.environ["REDIS_ADMIN_URL"]) as administrator:
        facts: Any = administrator.info("server")
    return int(facts["process_id"])
