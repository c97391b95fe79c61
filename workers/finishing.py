"""What follows the steps of a pass, on the same thread or beside the next pass's.

Beside it pays where a device takes the steps and the processor has time to decode,
encode and upload: on a GPU. On a processor both would share the same cores.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


class StepClock:
    """Seconds that this worker has spent in steps, to tell what ran beside them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0.0
        self._since: float | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """The steps of one pass; there is one at a time."""
        with self._lock:
            self._since = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._total, self._since = self._now(), None

    def read(self) -> float:
        """Never goes back: twice read, the difference is what ran in between."""
        with self._lock:
            return self._now()

    def _now(self) -> float:
        if self._since is None:
            return self._total
        return self._total + time.perf_counter() - self._since


class Finisher:
    """Finishes passes: at once, or one at a time on a thread of its own."""

    def __init__(self, *, beside: bool) -> None:
        self._beside = beside
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        return self._lock.locked()

    def hand_over(self, finish: Callable[[], None], *, may_overlap: bool) -> None:
        """Finish a pass; waits for the one before it, so that two are never kept."""
        self._lock.acquire()
        if not (self._beside and may_overlap):
            self._do(finish)
            return
        threading.Thread(
            target=self._do, args=(finish,), daemon=True, name="finishing"
        ).start()

    def wait(self, seconds: float) -> bool:
        """Whether nothing is being finished, after so long."""
        if not self._lock.acquire(timeout=seconds):
            return False
        self._lock.release()
        return True

    def _do(self, finish: Callable[[], None]) -> None:
        try:
            finish()
        except Exception:
            # What it held runs out of its lease, and is tried again.
            log.exception("a pass was not finished")
        finally:
            self._lock.release()
