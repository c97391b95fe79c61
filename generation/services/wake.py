"""Tell workers that there is work. A message names a tier, never decides a job."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import connection, transaction
from redis.exceptions import RedisError

from accounts.tiers import Tier
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.publishing import send_task
from pingvas.core.redis import redis_client, tier_queue

log = logging.getLogger(__name__)

RUN_TASK = "workers.run_next"

# The first share at or after the tier: asked for an equal one, the planner, who takes
# every tier for a common one, reads all of a long queue to find none of a rare tier.
_TIERS_WITH_WORK = """
    SELECT t.tier, s.user_id, j.id
    FROM unnest(%s::text[]) AS t(tier)
    CROSS JOIN LATERAL (
        SELECT user_id, tier FROM queue_shares
        WHERE claimable AND tier >= t.tier ORDER BY tier LIMIT 1
    ) s
    CROSS JOIN LATERAL (
        SELECT id FROM generation_jobs
        WHERE user_id = s.user_id AND status IN ('pending', 'queued')
        ORDER BY priority DESC, created_at, id LIMIT 1
    ) j
    WHERE s.tier = t.tier
"""


def wake_tiers_on_commit() -> None:
    """After this commit, wake each tier that has claimable work.

    What has been committed stands: a failure here is logged and does not reach the
    caller.
    """
    transaction.on_commit(wake_tiers, robust=True)


def wake_tiers() -> list[str]:
    """Send a message to each tier with claimable work and none waiting; the tiers."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute(_TIERS_WITH_WORK, [list(Tier.values)])
        found = {tier: (user, job) for tier, user, job in cursor.fetchall()}
    woken = _without_message(list(found))
    for tier in woken:
        user_id, job_id = found[tier]
        wake(tier, job_id=job_id, user_id=user_id)
    return woken


def wake(tier: str, *, job_id: UUID, user_id: UUID) -> None:
    """Publish on `queue:{tier}`: there is work, for example this job of this user.

    The message does not expire: an old one costs one look, and while it waits no other
    is sent.
    """
    send_task(
        RUN_TASK,
        queue=tier_queue(tier),
        kwargs={"job_id": str(job_id), "user_id": str(user_id)},
    )


def _without_message(tiers: list[str]) -> list[str]:
    """The tiers with an empty queue; none while Redis is away.

    Sending would then take seconds for each tier, and a claim does not have them.
    """
    pipeline = redis_client().pipeline(transaction=False)
    for tier in tiers:
        pipeline.llen(tier_queue(tier))
    try:
        lengths = pipeline.execute()
    except RedisError:
        log.warning("queues not woken", extra={"tiers": tiers})
        return []
    return [tier for tier, length in zip(tiers, lengths, strict=True) if not length]
