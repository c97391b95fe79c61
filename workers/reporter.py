"""Progress of a pass, sent off the denoising thread."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import close_old_connections

from generation.services.lifecycle import Attempt
from generation.services.progress import report_step, store_preview

log = logging.getLogger(__name__)


class Reporter:
    """A context manager around the steps; nothing it does can fail or slow a job.

    Steps are sent in order. Of previews only the newest of each picture is kept, and
    it travels with the next step. What `holds` denies is another worker's to tell.
    """

    def __init__(
        self, attempts: Sequence[Attempt], holds: Callable[[UUID], bool]
    ) -> None:
        self._attempts = list(attempts)
        self._holds = holds
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._previews: dict[int, bytes] = {}
        self._shown: set[int] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._send, daemon=True, name="reporter")

    def __enter__(self) -> Reporter:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._work.put(None)
        self._thread.join(timeout=5)

    def step(self, step: int, total: int) -> None:
        """The engine's `on_step`."""
        self._work.put(lambda: self._report(step, total))

    def preview(self, index: int, picture: bytes) -> None:
        """The engine's `on_preview`."""
        with self._lock:
            self._previews[index] = picture

    def _report(self, step: int, total: int) -> None:
        with self._lock:
            previews, self._previews = self._previews, {}
        for index, attempt in enumerate(self._attempts):
            if not self._holds(attempt.job_id):
                continue
            if index in previews:
                store_preview(attempt.job_id, previews[index])
                self._shown.add(index)
            report_step(attempt, step=step, total=total, preview=index in self._shown)

    def _send(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception:
                log.exception("progress not sent")
        # An event that restarts its counter has asked PostgreSQL for the time.
        close_old_connections()
