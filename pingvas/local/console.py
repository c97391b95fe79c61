"""What `make run` says on the terminal: each message in Korean and in English."""

from __future__ import annotations

import sys


def say(korean: str, english: str) -> None:
    """Print one message, a line in each language."""
    write_line(f"{korean}\n  {english}")


def complain(korean: str, english: str) -> None:
    """Print one message to standard error, a line in each language."""
    sys.stderr.write(f"{korean}\n{english}\n")
    sys.stderr.flush()


def write_line(text: str) -> None:
    """Print `text` at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
