"""A user's place in the fair queue: one row, locked by whoever changes their jobs.

Lock order everywhere: the user's queue share, then their jobs, then the credit balance,
then holds. A claim takes a share that nobody holds, or passes on: it never waits.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from accounts.tiers import limits_for
from pingvas.core.db.rows import read_together

LOCK_SHARE = "SELECT 1 FROM queue_shares WHERE user_id = %(user)s FOR UPDATE"
_OPEN_SHARE = """
    INSERT INTO queue_shares (user_id, tier, running_limit)
    VALUES (%(user)s, %(tier)s, %(limit)s)
    ON CONFLICT (user_id) DO UPDATE
        SET tier = excluded.tier, running_limit = excluded.running_limit
"""

_WAITING = """
    SELECT count(DISTINCT coalesce(submission_id, batch_id)) FROM generation_jobs
    WHERE user_id = %(user)s AND status IN ('pending', 'queued')
"""

# Whoever comes back, from idling or from their running limit, joins at the queue's
# present time: staying away earns nothing. So does a share that was passed over for
# long, after the claim that it waited for.
REFRESH_SHARE = """
    UPDATE queue_shares s SET
        running = r.running,
        waiting_since = h.created_at,
        claimable = h.id IS NOT NULL AND r.running < s.running_limit,
        virtual_start = t.start,
        virtual_finish = t.start
            + coalesce(h.quoted_credits * h.batch_size, 0)
            / greatest(coalesce(h.priority, 1), 1)::float
    FROM queue_shares o
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT batch_id) AS running FROM generation_jobs
        WHERE user_id = o.user_id AND status = 'in_progress'
    ) r
    CROSS JOIN LATERAL (
        SELECT CASE WHEN o.claimable AND %(used)s = 0 THEN o.virtual_start
            ELSE greatest(o.virtual_start, (SELECT virtual_time FROM queue_clock))
                + %(used)s END AS start
    ) t
    LEFT JOIN LATERAL (
        SELECT id, created_at, priority, quoted_credits, batch_size
        FROM generation_jobs
        WHERE user_id = o.user_id AND status IN ('pending', 'queued')
        ORDER BY priority DESC, created_at, id LIMIT 1
    ) h ON true
    WHERE o.user_id = s.user_id AND s.user_id = %(user)s
"""


def open_share(user_id: UUID, tier: str) -> int:
    """Lock the user's queue for this transaction; how many submissions wait in it.

    Makes it on first need, and gives it the limits of `tier`.
    """
    values = {"user": user_id, "tier": tier, "limit": limits_for(tier).running}
    _, [[waiting]] = read_together([_OPEN_SHARE, _WAITING], values)
    return int(waiting)


def try_lock_share(user_id: UUID) -> bool:
    """Lock the user's queue as above, or False at once while somebody else has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM queue_shares WHERE user_id = %s FOR UPDATE SKIP LOCKED",
            [user_id],
        )
        return cursor.fetchone() is not None


def refresh_share(user_id: UUID, *, used: float = 0.0) -> None:
    """Recompute the locked share from the user's jobs; call after every change.

    `used`: virtual time that a claim took, credits divided by the tier's weight.
    """
    with connection.cursor() as cursor:
        cursor.execute(REFRESH_SHARE, {"user": user_id, "used": used})
