"""Where the project's own Python lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    "pingvas",
    "accounts",
    "billing",
    "modelhub",
    "gallery",
    "generation",
    "workers",
)


def product_files() -> Iterator[Path]:
    """Every Python file that runs in production; migrations are history, not code."""
    yield ROOT / "manage.py"
    for room in ROOMS:
        files = (ROOT / room).rglob("*.py")
        yield from (file for file in sorted(files) if "migrations" not in file.parts)
