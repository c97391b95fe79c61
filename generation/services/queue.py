"""A user's places in the fair queue: one row, locked by whoever changes their jobs.

The row has a place in each lane, and one limit over both. Lock order everywhere: the
user's queue share, then their jobs, then the credit balance, then holds. A claim takes
a share that nobody holds, or passes on: it never waits. A worker moves the leases and
deadlines of what it runs without the share, and so running jobs, where several are
locked at once, are locked in the order of their ids.
"""

from __future__ import annotations

from uuid import UUID

from accounts.tiers import limits_for
from generation.lanes import PLACES, LanePlace
from generation.waiting import claimable, waiting
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Bound, Statement

LOCK_SHARE = Statement("SELECT 1 FROM queue_shares WHERE user_id = %(user)s FOR UPDATE")
_TRY_LOCK_SHARE = Statement(f"{LOCK_SHARE.text} SKIP LOCKED")
_OPEN_SHARE = Statement("""
    INSERT INTO queue_shares (user_id, tier, running_limit, external_limit)
    VALUES (%(user)s, %(tier)s, %(limit)s, %(external)s)
    ON CONFLICT (user_id) DO UPDATE
        SET tier = excluded.tier, running_limit = excluded.running_limit,
            external_limit = excluded.external_limit
""")

_WAITING = Statement.of(
    """
    SELECT count(DISTINCT coalesce(submission_id, batch_id)) FROM generation_jobs j
    WHERE user_id = %(user)s AND {waiting}
    """,
    waiting=waiting("j"),
)

# Each lane's head is its first job that waits for no other. Whoever comes back, from
# idling or from their running limit, joins at the queue's present time: staying away
# earns nothing. So does a share that was passed over for long, after the claim that it
# waited for.
_REFRESH_SHARE = """
    UPDATE queue_shares s SET
        running = r.running,
        external_running = r.external_running,
        {places}
    FROM queue_shares o
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT batch_id) AS running,
            count(DISTINCT batch_id) FILTER (WHERE lane = 'external')
                AS external_running
        FROM generation_jobs
        WHERE user_id = o.user_id AND status = 'in_progress'
    ) r
    {heads}
    WHERE o.user_id = s.user_id AND s.user_id = %(user)s
    RETURNING {answers}
"""
_PLACE = """
        {since} = {lane}_head.created_at,
        {place_claimable} = {lane}_head.id IS NOT NULL AND {has_room},
        {start} = {lane}_at.start,
        {finish} = {lane}_at.start
            + coalesce({lane}_head.quoted_credits * {lane}_head.batch_size, 0)
            / greatest(coalesce({lane}_head.priority, 1), 1)::float
"""
_HEAD = """
    CROSS JOIN LATERAL (
        SELECT CASE WHEN o.{place_claimable} AND %({lane}_used)s = 0 THEN o.{start}
            ELSE greatest(o.{start}, (SELECT {clock} FROM queue_clock))
                + %({lane}_used)s END AS start
    ) {lane}_at
    LEFT JOIN LATERAL (
        SELECT id, created_at, priority, quoted_credits, batch_size
        FROM generation_jobs j
        WHERE user_id = o.user_id AND lane = '{lane}' AND {claimable}
        ORDER BY priority DESC, created_at, id LIMIT 1
    ) {lane}_head ON true
"""


def _place_of(place: LanePlace) -> str:
    has_room = place.has_room(counts="r", share="s")
    return _PLACE.format(**place.parts(), has_room=has_room)


REFRESH_SHARE = Statement.of(
    _REFRESH_SHARE,
    places=",".join(_place_of(place) for place in PLACES.values()),
    heads="".join(
        _HEAD.format(**place.parts(), claimable=claimable("j"))
        for place in PLACES.values()
    ),
    answers=", ".join(f"s.{place.place_claimable}" for place in PLACES.values()),
)


def open_share(user_id: UUID, tier: str) -> int:
    """Lock the user's queue for this transaction; how many submissions wait in it.

    Makes it on first need, and gives it the limits of `tier`.
    """
    limits = limits_for(tier)
    opening = _OPEN_SHARE.bind(
        user=user_id,
        tier=tier,
        limit=limits.running,
        external=limits.external_running,
    )
    _, [[found]] = read_together([opening, _WAITING.bind(user=user_id)])
    return int(found)


def try_lock_share(user_id: UUID) -> bool:
    """Lock the user's queue as above, or False at once while somebody else has it."""
    [rows] = read_together([_TRY_LOCK_SHARE.bind(user=user_id)])
    return bool(rows)


def refresh(user_id: UUID, *, used: float = 0.0, lane: str = "gpu") -> Bound:
    """Recompute the locked share from the user's jobs; to be sent after every change.

    It answers for each lane whether a job of theirs may be claimed now. `used`: virtual
    time that a claim in `lane` took, credits divided by the tier's weight.
    """
    used_in = {f"{each}_used": used if each == lane else 0.0 for each in PLACES}
    return REFRESH_SHARE.bind(user=user_id, **used_in)


def refresh_share(user_id: UUID) -> None:
    """The same, at once and alone."""
    read_together([refresh(user_id)])
