"""What a subject measured, and how it is shown."""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Student's t that leaves 2.5 % above it, by the number of rounds: one more than its
# degrees of freedom.
STUDENT_T = {
    2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306,
    10: 2.262,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Two figures of one run and what their quotient should be.

    goal: such as ">= 0.5" or "<= 1.5"; empty for a figure that is only recorded.
    note: how the two sides were made, in a few words.
    """

    name: str
    ours: float
    other: float
    unit: str
    ratio: float
    goal: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if not self.goal:
            return None
        sign, limit = self.goal.split()
        return (
            self.ratio >= float(limit) if sign == ">=" else self.ratio <= float(limit)
        )

    def as_record(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}


@dataclass
class Rounds:
    """Figures of both sides, taken in turns so that a busy moment meets both."""

    ours: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    @classmethod
    def alternate(
        cls, count: int, ours: Callable[[], float], other: Callable[[], float]
    ) -> Rounds:
        rounds = cls()
        for _ in range(count):
            rounds.ours.append(ours())
            rounds.other.append(other())
        return rounds

    @classmethod
    def swap(
        cls, count: int, ours: Callable[[], float], other: Callable[[], float]
    ) -> Rounds:
        """As `alternate`, but in every second round the other side comes first."""
        rounds = cls()
        sides = [(rounds.ours, ours), (rounds.other, other)]
        for number in range(count):
            for figures, measure in sides if number % 2 == 0 else reversed(sides):
                figures.append(measure())
        return rounds

    def ratios(self) -> list[float]:
        """Ours over the other's, round by round."""
        return [a / b for a, b in zip(self.ours, self.other, strict=True)]

    def mean_ratio(self, **names: str) -> Ratio:
        """Our geometric mean over the other's, which is that of the ratios."""
        ours = statistics.geometric_mean(self.ours)
        other = statistics.geometric_mean(self.other)
        return Ratio(ours=ours, other=other, ratio=ours / other, **names)

    def interval(self) -> tuple[float, float]:
        """Where the mean ratio lies at 95 %: Student's t of the rounds' log ratios.

        Needs two rounds to ten.
        """
        logs = [math.log(ratio) for ratio in self.ratios()]
        error = statistics.stdev(logs) / math.sqrt(len(logs))
        middle, half = statistics.fmean(logs), STUDENT_T[len(logs)] * error
        return math.exp(middle - half), math.exp(middle + half)

    def in_words(self) -> str:
        """The rounds' ratios one by one, and how sure their mean is."""
        low, high = self.interval()
        by_round = " ".join(f"{ratio:.2f}" for ratio in self.ratios())
        return (
            f"{len(self.ours)} rounds in turns: {by_round}; geometric means, 95 % "
            f"interval {low:.3f} to {high:.3f} (Student's t of the log ratios)"
        )

    def ratio(self, **names: str) -> Ratio:
        """Our median over the other's."""
        ours, other = statistics.median(self.ours), statistics.median(self.other)
        return Ratio(ours=ours, other=other, ratio=ours / other, **names)


def describe_machine() -> dict[str, str]:
    """What the figures depend on; no names of hosts or users."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": platform.system() + " " + platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("Django", "psycopg", "torch", "diffusers")},
    }


def show_table(ratios: Sequence[Ratio]) -> str:
    """The rows as a Markdown table, which reads well in a terminal too."""
    rows: list[tuple[str, ...]] = [
        ("What", "Studio", "Beside", "Unit", "Ratio", "Goal", "Met")
    ]
    rows += [_row(ratio) for ratio in ratios]
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    lines = [
        "| "
        + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _row(ratio: Ratio) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: ""}[ratio.met]
    return (
        ratio.name,
        f"{ratio.ours:,.4g}",
        f"{ratio.other:,.4g}",
        ratio.unit,
        f"{ratio.ratio:.3g}",
        ratio.goal,
        met,
    )


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()
