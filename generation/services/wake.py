"""Tell workers that there is work. A message names a tier, never decides a job."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from redis.exceptions import RedisError

from accounts.tiers import Tier
from generation.waiting import waiting
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement
from pingvas.core.publishing import send_task
from pingvas.core.redis import redis_client, tier_queue

log = logging.getLogger(__name__)

RUN_TASK = "workers.run_next"

# The first share at or after the tier: asked for an equal one, the planner, who takes
# every tier for a common one, reads all of a long queue to find none of a rare tier.
_TIERS_WITH_WORK = Statement.of(
    """
    SELECT t.tier, s.user_id, j.id
    FROM unnest(%(all_tiers)s::text[]) AS t(tier)
    CROSS JOIN LATERAL (
        SELECT user_id, tier FROM queue_shares
        WHERE claimable AND tier >= t.tier ORDER BY tier LIMIT 1
    ) s
    CROSS JOIN LATERAL (
        SELECT id FROM generation_jobs w
        WHERE user_id = s.user_id AND {waiting}
        ORDER BY priority DESC, created_at, id LIMIT 1
    ) j
    WHERE s.tier = t.tier
    """,
    waiting=waiting("w"),
)
TIERS_WITH_WORK = _TIERS_WITH_WORK.bind(all_tiers=list(Tier.values))

# What `TIERS_WITH_WORK` answers: a tier, a user with claimable work, a job of theirs.
Work = tuple[str, UUID, UUID]


def wake_tiers_on_commit(found: Sequence[Work] | None = None) -> None:
    """After this commit, wake each tier that has claimable work.

    `found`: what the transaction itself saw of it, as the service and after its last
    change. Whoever commits more meanwhile wakes for that. Without it the tiers are
    asked for after the commit.

    What has been committed stands: a failure here is logged and does not reach the
    caller.
    """
    if found is None:
        transaction.on_commit(wake_tiers, robust=True)
    elif found:
        transaction.on_commit(lambda: _wake_without_message(found), robust=True)


def wake_tiers() -> list[str]:
    """Send a message to each tier with claimable work and none waiting; the tiers."""
    with acting_as(SERVICE):
        [found] = read_together([TIERS_WITH_WORK])
    return _wake_without_message(found)


def _wake_without_message(found: Sequence[Work]) -> list[str]:
    woken = _without_message([tier for tier, _, _ in found])
    for tier, user_id, job_id in found:
        if tier in woken:
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
