"""Every five seconds: take back what dead workers held, see that nobody waits for what
has happened, and wake who has work.
"""

from __future__ import annotations

import logging
from uuid import UUID

from generation.models import WORKER_SILENCE, GenerationJob, Worker
from generation.services.dependencies import wrongly_counted
from generation.services.lifecycle import recount_parents, take_back_expired
from generation.services.wake import wake_tiers
from generation.states import IN_PROGRESS
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now

log = logging.getLogger(__name__)

# One sweep's share; the next one is five seconds away.
SWEEP_LIMIT = 200


def sweep_leases() -> int:
    """Take back jobs whose lease ran out; returns how many.

    One transaction for each job: a locked or faulty one does not hold up the rest.
    """
    with acting_as(SERVICE):
        expired = list(
            GenerationJob.objects.filter(status=IN_PROGRESS, lease_expires_at__lt=Now())
            .order_by("lease_expires_at")
            .values_list("id", "user_id")[:SWEEP_LIMIT]
        )
    return sum(_take_back(job_id, user_id) for job_id, user_id in expired)


def _take_back(job_id: UUID, user_id: UUID) -> bool:
    try:
        with acting_as(SERVICE):
            return take_back_expired(job_id=job_id, user_id=user_id) is not None
    except Exception:
        log.exception("lease not taken back", extra={"job": str(job_id)})
        return False


def sweep_parents() -> int:
    """Count anew what waiting jobs wait for; returns how many said otherwise.

    None does, unless a completion was not this version's: each is reported.
    """
    with acting_as(SERVICE):
        wrong = wrongly_counted(SWEEP_LIMIT)
    return sum(_recount(job_id, user_id) for job_id, user_id in wrong)


def _recount(job_id: UUID, user_id: UUID) -> bool:
    try:
        with acting_as(SERVICE):
            is_done = recount_parents(job_id=job_id, user_id=user_id)
    except Exception:
        log.exception("parents not counted", extra={"job": str(job_id)})
        return False
    log.error("a job waited for other than its parents", extra={"job": str(job_id)})
    return is_done


def sweep() -> dict[str, int]:
    """The whole sweep: leases, parents, silent workers, wake-ups."""
    taken, counted = sweep_leases(), sweep_parents()
    with acting_as(SERVICE):
        gone, _ = Worker.objects.filter(
            heartbeat_at__lt=Now() - 10 * WORKER_SILENCE
        ).delete()
    return {
        "leases": taken,
        "parents": counted,
        "workers": gone,
        "tiers": len(wake_tiers()),
    }
