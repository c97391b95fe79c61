"""`make bench`: every subject on the same servers, one after the other.

Writes `bench/results.json` and `bench/RESULTS.md`; a subject that was not asked for
keeps the figures of its last run there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.house import open_servers
from bench.report import Ratio, say, show_table

SUBJECTS = (
    "settle", "submit", "claim", "first_step", "sockets", "fairness", "pictures",
    "before",
)  # fmt: skip
# Idle servers beside those that these start would be in their way.
ALONE = ("before",)
FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
PAGE = FOLDER / "RESULTS.md"


def run() -> int:
    """The exit status: 1 when a subject failed or a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("subjects", nargs="*", metavar="subject", help=str(SUBJECTS))
    parser.add_argument("--small", action="store_true", help="quick and coarse")
    options = parser.parse_args()
    unknown = set(options.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    asked = options.subjects or SUBJECTS
    shared = [subject for subject in asked if subject not in ALONE]
    failed = False
    with open_servers() if shared else nullcontext():
        for subject in shared:
            failed |= not keep_figures(subject, small=options.small)
    for subject in set(asked) - set(shared):
        failed |= not keep_figures(subject, small=options.small)
    missed = any(
        row["met"] is False
        for record in kept_records().values()
        for row in record["ratios"]
    )
    return int(failed or missed)


def keep_figures(subject: str, *, small: bool) -> bool:
    """Measure and write both files; False when that failed."""
    say(f"== {subject}")
    record = measure_apart(subject, small=small)
    if record is not None:
        # Read again: somebody may be measuring another subject.
        keep(kept_records() | {subject: record})
    return record is not None


def measure_apart(subject: str, *, small: bool) -> dict[str, Any] | None:
    """Measure in a process of its own, on these servers; None when it failed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        command = [sys.executable, "-m", f"bench.{subject}", f"--json={path}"]
        done = subprocess.run(  # noqa: S603 - our own module
            [*command, *(["--small"] if small else [])], check=False
        )
        if done.returncode:
            return None
        record: dict[str, Any] = json.loads(path.read_text())
    today = datetime.now(UTC).date().isoformat()
    return {**record, "small": small, "date": today}


def kept_records() -> dict[str, Any]:
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def keep(records: dict[str, Any]) -> None:
    """Write both files, in the order of the subjects."""
    records = {name: records[name] for name in SUBJECTS if name in records}
    RESULTS.write_text(json.dumps(records, indent=1) + "\n")
    PAGE.write_text(page(records))


def page(records: dict[str, Any]) -> str:
    """The figures for people."""
    parts = [
        "# Figures\n\nWritten by `make bench`. Both sides of every ratio were measured "
        "in one run on the same servers; absolute figures depend on the machine."
    ]
    for name, record in records.items():
        rows = [dict(row) for row in record["ratios"]]
        ratios = [Ratio(**{k: v for k, v in row.items() if k != "met"}) for row in rows]
        size = "small run" if record["small"] else "full run"
        machine = ", ".join(
            f"{key} {value}" for key, value in record["machine"].items()
        )
        notes = [f"- {ratio.name.strip()}: {ratio.note}" for ratio in ratios]
        parts.append(
            f"## {name}\n\n{show_table(ratios)}\n\n"
            + "\n".join(notes)
            + f"\n\n{size.capitalize()}, {record['date']}: {machine}."
        )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(run())
