"""How a worker is told to stop, and tells when it has.

Celery hears of it in the parent; the jobs are run by its children. They share a page of
memory, made before they are forked: no lock that a killed process could take along.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

_SLOT = 8
_SLOTS = 256


class Stop(IntEnum):
    """What is asked of the children."""

    NO = 0
    # Take nothing more, and finish what runs.
    AFTER_JOBS = 1
    # Give back what runs, now.
    AT_ONCE = 2


class StopBoard:
    """One for a parent and its children: the wish, and which children are at work."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, _SLOT * (1 + _SLOTS))
        # This process's own passes: one may be finished while another takes steps.
        self._passes = 0
        self._counting = threading.Lock()

    @property
    def wish(self) -> Stop:
        return Stop(self._page[0])

    def ask(self, stop: Stop) -> None:
        """In the parent; a wish is never taken back, only made more urgent."""
        self._page[0] = max(self._page[0], stop)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """In a child: it holds jobs inside the block."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def wait_until_idle(self, seconds: float) -> bool:
        """In the parent: whether no child that lives holds jobs, after so long."""
        deadline = time.monotonic() + seconds
        while any(_is_alive(pid) for pid in self._busy()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _count(self, change: int) -> None:
        with self._counting:
            self._passes += change
            self._write(os.getpid() if self._passes else 0)

    def _write(self, pid: int) -> None:
        start = _SLOT * (1 + os.getpid() % _SLOTS)
        self._page[start : start + _SLOT] = pid.to_bytes(_SLOT, "little")

    def _busy(self) -> list[int]:
        found = (
            int.from_bytes(self._page[start : start + _SLOT], "little")
            for start in range(_SLOT, _SLOT * (1 + _SLOTS), _SLOT)
        )
        return [pid for pid in found if pid]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
