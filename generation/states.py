"""The states of a job, and the only ways between them.

`generation/migrations/sql/queue.forward.sql` holds the same table in the database.
"""

from __future__ import annotations

from generation.models import JobStatus
from generation.waiting import WAITING_STATUSES

PENDING = JobStatus.PENDING
QUEUED = JobStatus.QUEUED
IN_PROGRESS = JobStatus.IN_PROGRESS
COMPLETED = JobStatus.COMPLETED
FAILED = JobStatus.FAILED
CANCELLED = JobStatus.CANCELLED

TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    PENDING: frozenset({QUEUED, IN_PROGRESS, CANCELLED, FAILED}),
    QUEUED: frozenset({IN_PROGRESS, CANCELLED, FAILED}),
    IN_PROGRESS: frozenset({QUEUED, COMPLETED, FAILED, CANCELLED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}

WAITING = frozenset(JobStatus(name) for name in WAITING_STATUSES)
LIVE = WAITING | {IN_PROGRESS}
TERMINAL = frozenset({COMPLETED, FAILED, CANCELLED})


def before(target: JobStatus) -> list[str]:
    """The states from which a job may become `target`."""
    return [state.value for state, after in TRANSITIONS.items() if target in after]
