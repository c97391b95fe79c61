"""A user's place in the fair queue: one row, locked by whoever changes their jobs.

Lock order everywhere: the user's queue share, then their jobs, then the credit balance,
then holds. A claim takes a share that nobody holds, or passes on: it never waits.
"""

from __future__ import annotations

from uuid import UUID

from accounts.tiers import limits_for
from generation.waiting import waiting
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Bound, Statement

LOCK_SHARE = Statement("SELECT 1 FROM queue_shares WHERE user_id = %(user)s FOR UPDATE")
_TRY_LOCK_SHARE = Statement(f"{LOCK_SHARE.text} SKIP LOCKED")
_OPEN_SHARE = Statement("""
    INSERT INTO queue_shares (user_id, tier, running_limit)
    VALUES (%(user)s, %(tier)s, %(limit)s)
    ON CONFLICT (user_id) DO UPDATE
        SET tier = excluded.tier, running_limit = excluded.running_limit
""")

_WAITING = Statement.of(
    """
    SELECT count(DISTINCT batch_id) FROM generation_jobs j
    WHERE user_id = %(user)s AND {waiting}
    """,
    waiting=waiting("j"),
)

# Whoever comes back, from idling or from their running limit, joins at the queue's
# present time: staying away earns nothing. So does a share that was passed over for
# long, after the claim that it waited for.
_REFRESH_SHARE = Statement.of(
    """
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
        FROM generation_jobs j
        WHERE user_id = o.user_id AND {waiting}
        ORDER BY priority DESC, created_at, id LIMIT 1
    ) h ON true
    WHERE o.user_id = s.user_id AND s.user_id = %(user)s
    """,
    waiting=waiting("j"),
)


def open_share(user_id: UUID, tier: str) -> int:
    """Lock the user's queue for this transaction; how many submissions wait in it.

    Makes it on first need, and gives it the limits of `tier`.
    """
    limit = limits_for(tier).running
    opening = _OPEN_SHARE.bind(user=user_id, tier=tier, limit=limit)
    _, [[found]] = read_together([opening, _WAITING.bind(user=user_id)])
    return int(found)


def try_lock_share(user_id: UUID) -> bool:
    """Lock the user's queue as above, or False at once while somebody else has it."""
    [rows] = read_together([_TRY_LOCK_SHARE.bind(user=user_id)])
    return bool(rows)


def refresh(user_id: UUID, *, used: float = 0.0) -> Bound:
    """Recompute the locked share from the user's jobs; to be sent after every change.

    `used`: virtual time that a claim took, credits divided by the tier's weight.
    """
    return _REFRESH_SHARE.bind(user=user_id, used=used)


def refresh_share(user_id: UUID) -> None:
    """The same, at once and alone."""
    read_together([refresh(user_id)])
