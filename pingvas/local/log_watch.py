"""Picks out of a log what a developer must not miss."""

from __future__ import annotations

import re
from pathlib import Path

# Plain text as Celery and uvicorn write it, and structured lines.
IMPORTANT = re.compile(
    r"\b(ERROR|CRITICAL|FATAL|PANIC)\b|^(pingvas: |[\w.]+(Error|Exception): )"
)
LINES_AT_ONCE = 5
WIDTH = 300


class LogWatch:
    """Follows one log from its present end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0

    def read_important(self) -> list[str]:
        """Return the important among the new lines, at most five, cut to 300."""
        if not self._path.exists():
            return []
        size = self._path.stat().st_size
        # A log that was put aside starts again at its beginning.
        self._position = min(self._position, size)
        with self._path.open("rb") as file:
            file.seek(self._position)
            text, whole, _ = file.read().rpartition(b"\n")
        self._position += len(text) + len(whole)
        found = [
            line[:WIDTH]
            for line in text.decode(errors="replace").splitlines()
            if IMPORTANT.search(line)
        ]
        return found[:LINES_AT_ONCE]
