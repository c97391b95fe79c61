"""Tell workers that there is work. A message names a tier, never decides a job."""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction
from redis.exceptions import RedisError

from accounts.tiers import Tier
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.publishing import send_task
from pingvas.core.redis import redis_client, tier_queue

RUN_TASK = "workers.run_next"
# A wake-up that nobody took in this time is worth nothing: the sweeper sends another.
WAKE_EXPIRES_SECONDS = 30

_TIERS_WITH_WORK = """
    SELECT t.tier FROM unnest(%s::text[]) AS t(tier)
    WHERE EXISTS (SELECT 1 FROM queue_shares s WHERE s.claimable AND s.tier = t.tier)
"""


def wake_tiers_on_commit() -> None:
    """After this commit, wake each tier that has claimable work."""
    transaction.on_commit(wake_tiers)


def wake_tiers() -> list[str]:
    """Send a message to each tier with claimable work and none waiting; the tiers."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute(_TIERS_WITH_WORK, [list(Tier.values)])
        tiers = [row[0] for row in cursor.fetchall()]
    woken = [tier for tier in tiers if not _message_waits(tier)]
    for tier in woken:
        wake(tier)
    return woken


def wake(tier: str, *, job_id: UUID | None = None, user_id: UUID | None = None) -> None:
    """Publish on `queue:{tier}`: there is work, for example this job of this user."""
    send_task(
        RUN_TASK,
        queue=tier_queue(tier),
        kwargs={
            "job_id": str(job_id) if job_id else None,
            "user_id": str(user_id) if user_id else None,
        },
        expires=WAKE_EXPIRES_SECONDS,
    )


def _message_waits(tier: str) -> bool:
    try:
        return bool(redis_client().llen(tier_queue(tier)))
    except RedisError:
        return False
