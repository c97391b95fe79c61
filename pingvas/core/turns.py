"""Work that takes a core and memory: so much of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

from pingvas.core.errors import ServiceUnavailable


class Turns:
    """So many at once inside `turn()`, so many more waiting; the rest is refused.

    Whoever waits takes a thread, and strangers send as many requests as they like.
    busy: raised at once where all places are taken, and after `seconds` of waiting.
    """

    def __init__(
        self,
        running: int,
        waiting: int,
        *,
        busy: type[ServiceUnavailable],
        seconds: float,
    ) -> None:
        self._running = Semaphore(running)
        self._here = Semaphore(running + waiting)
        self._busy = busy
        self._seconds = seconds

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._held(self._here, 0), self._held(self._running, self._seconds):
            yield

    @contextmanager
    def _held(self, places: Semaphore, seconds: float) -> Iterator[None]:
        if not places.acquire(timeout=seconds):
            raise self._busy(retry_after=max(int(self._seconds), 1))
        try:
            yield
        finally:
            places.release()
