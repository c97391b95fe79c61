"""Tell workers that there is work. A message names a tier and a lane, never decides a
job.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from redis.exceptions import RedisError

from accounts.tiers import Tier
from generation.lanes import PLACES, other_lane
from generation.waiting import claimable
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement
from pingvas.core.publishing import send_task
from pingvas.core.redis import redis_client, tier_queue

log = logging.getLogger(__name__)

RUN_TASK = "workers.run_next"

# The first share at or after the tier: asked for an equal one, the planner, who takes
# every tier for a common one, reads all of a long queue to find none of a rare tier.
_TIERS_WITH_WORK = """
    SELECT t.tier, '{lane}', s.user_id, j.id
    FROM unnest(%(all_tiers)s::text[]) AS t(tier)
    CROSS JOIN LATERAL (
        SELECT user_id, tier FROM queue_shares
        WHERE {place_claimable} AND tier >= t.tier ORDER BY tier LIMIT 1
    ) s
    CROSS JOIN LATERAL (
        SELECT id FROM generation_jobs w
        WHERE user_id = s.user_id AND lane = '{lane}' AND {claimable}
        ORDER BY priority DESC, created_at, id LIMIT 1
    ) j
    WHERE s.tier = t.tier
"""
TIERS_WITH_WORK = {
    lane: Statement.of(
        _TIERS_WITH_WORK, **place.parts(), claimable=claimable("w")
    ).bind(all_tiers=list(Tier.values))
    for lane, place in PLACES.items()
}


class Work(NamedTuple):
    """A tier and lane with claimable work: a user who has some, and a job of theirs."""

    tier: str
    lane: str
    user_id: UUID
    job_id: UUID

    @property
    def queue(self) -> str:
        return tier_queue(self.tier, self.lane)


def wake_tiers_on_commit(
    lane: str,
    places: Sequence[Sequence[bool]],
    found: Sequence[tuple[str, str, UUID, UUID]] = (),
) -> None:
    """After this commit, wake each tier of the lane that has claimable work.

    `found`: what the transaction itself saw of it (`TIERS_WITH_WORK`), as the service
    and after its last change. Whoever commits more meanwhile wakes for that. `places`:
    what `refresh` answered. A user who has work in the other lane too may have been
    passed over there while their share was locked: then every lane is looked at.

    What has been committed stands: a failure here is logged and does not reach the
    caller.
    """
    other = other_lane(lane)
    if any(dict(zip(PLACES, place, strict=True))[other] for place in places):
        look_on_commit()
    elif found:
        work = [Work(*each) for each in found]
        transaction.on_commit(lambda: _wake_without_message(work), robust=True)


def look_on_commit() -> None:
    """The same by a look of its own, after the commit and at every lane."""
    transaction.on_commit(wake_tiers, robust=True)


def wake_tiers() -> list[str]:
    """Send a message to each tier with claimable work and none waiting; the queues."""
    with acting_as(SERVICE):
        lanes = read_together(TIERS_WITH_WORK.values())
    return _wake_without_message([Work(*each) for found in lanes for each in found])


def _wake_without_message(found: Sequence[Work]) -> list[str]:
    woken = _without_message([work.queue for work in found])
    for work in found:
        if work.queue in woken:
            wake(work)
    return woken


def wake(work: Work) -> None:
    """Publish on `queue:{tier}`: there is work, for example this job of this user.

    The message does not expire: an old one costs one look, and while it waits no other
    is sent.
    """
    send_task(
        RUN_TASK,
        queue=work.queue,
        kwargs={"job_id": str(work.job_id), "user_id": str(work.user_id)},
    )


def _without_message(queues: list[str]) -> list[str]:
    """Those that are empty; none while Redis is away.

    Sending would then take seconds for each tier, and a claim does not have them.
    """
    pipeline = redis_client().pipeline(transaction=False)
    for queue in queues:
        pipeline.llen(queue)
    try:
        lengths = pipeline.execute()
    except RedisError:
        log.warning("queues not woken", extra={"queues": queues})
        return []
    return [queue for queue, length in zip(queues, lengths, strict=True) if not length]
