"""Hold on to jobs while they run: renew the lease, notice cancellation and loss."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import Error, close_old_connections

from generation.services.lifecycle import Attempt
from generation.services.schedule import LEASE, Standing, read_standing, renew_leases
from workers.service import as_service

log = logging.getLogger(__name__)

# Cancelling should feel immediate: look every second, renew every fifth time.
LOOK_SECONDS = LEASE.total_seconds() / 30
LOOKS_A_RENEWAL = 5
# After the lease or deadline is gone the child has this long to end its step.
STUCK_SECONDS = 2 * LEASE.total_seconds()
# What failed for a reason outside of the job is left alone for this long.
COOL_SECONDS = LEASE.total_seconds()


class LeaseKeeper:
    """A thread beside the denoising: a context manager around one pass.

    `should_stop` is for the engine, between steps. A child that is stuck inside a step
    long after its jobs were lost ends itself: nothing else could free the device.
    """

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._attempts = {attempt.job_id: attempt for attempt in attempts}
        self._held = frozenset(self._attempts)
        self._cancelled: frozenset[UUID] = frozenset()
        self._done = threading.Event()
        self._lost_at: float | None = None
        self._seen = time.monotonic()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="lease")

    def __enter__(self) -> LeaseKeeper:
        self._seen = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join(timeout=LEASE.total_seconds())

    def holds(self, job_id: UUID) -> bool:
        """False also when nobody looked for a lease: this process may have slept."""
        fresh = time.monotonic() - self._seen < LEASE.total_seconds()
        return fresh and job_id in self._held

    def cancelled(self, job_id: UUID) -> bool:
        return job_id in self._cancelled

    def should_stop(self) -> str | None:
        """Why the whole pass is pointless now: every job is cancelled or lost."""
        if not self._held:
            return "lease_lost"
        if self._held <= self._cancelled:
            return "cancelled"
        return None

    def _keep(self) -> None:
        looks = 0
        while not self._done.wait(LOOK_SECONDS):
            looks += 1
            self._look(renew_leases if looks % LOOKS_A_RENEWAL == 0 else read_standing)
            if self._lost_at and time.monotonic() - self._lost_at > STUCK_SECONDS:
                log.critical("stuck inside a step without a lease: ending this process")
                os.kill(os.getpid(), signal.SIGKILL)
        close_old_connections()

    def _look(self, ask: Callable[[Sequence[Attempt]], Standing]) -> None:
        try:
            with as_service():
                standing = ask(list(self._attempts.values()))
        except Error:
            # The lease runs on without us; what is lost is known when it is back.
            log.warning("lease not renewed", exc_info=True)
            standing = self._unknown()
        else:
            self._seen = time.monotonic()
        self._note(standing)

    def _unknown(self) -> Standing:
        gone = time.monotonic() - self._seen > LEASE.total_seconds()
        return Standing(frozenset() if gone else self._held, self._cancelled)

    def _note(self, standing: Standing) -> None:
        # What was lost once stays lost, or a pass that was told to stop went on.
        self._held &= standing.held
        self._cancelled |= standing.cancelled
        if not self._held and self._lost_at is None:
            self._lost_at = time.monotonic()
