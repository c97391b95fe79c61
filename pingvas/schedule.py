"""What Celery Beat runs, and when; `manage.py sync_schedule` tells the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SWEEP_QUEUE = "sweep"
MAINTENANCE_QUEUE = "maintenance"


@dataclass(frozen=True, kw_only=True)
class Daily:
    """Once a day at this time, UTC."""

    hour: int
    minute: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A task by name; a message that nobody took within `expires` is dropped."""

    name: str
    task: str
    when: timedelta | Daily
    expires: timedelta
    queue: str = MAINTENANCE_QUEUE


SCHEDULE = (
    Entry(
        name="Sweep leases and wake the queues",
        task="generation.sweep",
        when=timedelta(seconds=5),
        expires=timedelta(seconds=5),
        queue=SWEEP_QUEUE,
    ),
    Entry(
        name="Fold what pictures take",
        task="gallery.fold_picture_bytes",
        when=timedelta(minutes=10),
        expires=timedelta(minutes=10),
    ),
    Entry(
        name="Refresh the users' statistics",
        task="generation.refresh_user_stats",
        when=Daily(hour=3),
        expires=timedelta(hours=6),
    ),
    Entry(
        name="Audit the ledger",
        task="billing.audit_ledger",
        when=Daily(hour=4),
        expires=timedelta(hours=6),
    ),
    Entry(
        name="Purge expired keys and sign-ins",
        task="accounts.purge_expired",
        when=Daily(hour=4, minute=30),
        expires=timedelta(hours=6),
    ),
    Entry(
        name="Remove stored objects without a row",
        task="gallery.remove_orphans",
        when=Daily(hour=5),
        expires=timedelta(hours=6),
    ),
)
