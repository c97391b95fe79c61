"""How a user's jobs and credits are now, for a client that cannot catch up."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from billing.services.grants import read_balance
from generation.events import Resync
from generation.selectors import jobs_of
from generation.services.progress import read_progress
from generation.states import IN_PROGRESS, LIVE
from pingvas.core.db.actor import acting_as, user_actor

MOST_JOBS = 500
_SHOWN = ("id", "status", "submission_id", "batch_id", "attempt")


def take_snapshot(user_id: UUID) -> Resync:
    """Everything that the events of jobs and credits would have told; DatabaseError."""
    with acting_as(user_actor(user_id)):
        live = jobs_of(user_id).filter(status__in=LIVE).order_by("created_at", "id")
        rows = list(live.values(*_SHOWN)[: MOST_JOBS + 1])
        credits = read_balance(user_id=user_id)
    return Resync(
        jobs=[_as_json(row) for row in rows[:MOST_JOBS]],
        more=len(rows) > MOST_JOBS,
        credits={
            "balance": credits.balance,
            "held": credits.held,
            "available": credits.available,
        },
    )


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    is_running = row["status"] == IN_PROGRESS
    return {
        "id": str(row["id"]),
        "status": row["status"],
        "submission_id": str(row["submission_id"] or row["batch_id"]),
        "batch_id": str(row["batch_id"]),
        "attempt": row["attempt"],
        "progress": read_progress(row["id"]) if is_running else None,
    }
