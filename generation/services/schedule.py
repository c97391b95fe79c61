"""Who runs next: weighted fair order between users, decided in PostgreSQL.

A claim takes all waiting jobs of one submission, for they share a forward pass. It
locks the user's queue share with SKIP LOCKED, so two workers never meet, and the length
of anybody's backlog costs it nothing: every step ends at the first row of an index.

Virtual time is credits divided by the tier's weight. A share joins at the queue's
present time and moves on by what its claims take; the smallest finish goes first. The
present is the earliest start among those that still wait, so whoever joins now and
finishes in a shorter virtual time goes before all of them: one job of a higher tier
overtakes every waiting job of a lower one that costs as much. Nobody waits for ever:
each user goes before a waiting share only until their own start has passed its finish.

Each lane has shares and a present of its own: what somebody took of the GPUs says
nothing of their turn with an external provider. Only the running limit is over both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from generation.events import JobStarted
from generation.lanes import PLACES, Lane, LanePlace
from generation.models import GenerationJob
from generation.needs import FOR_WORKER
from generation.services.lifecycle import Attempt, announce
from generation.services.queue import refresh, refresh_share
from generation.services.wake import (
    TIERS_WITH_WORK,
    look_on_commit,
    wake_tiers_on_commit,
)
from generation.waiting import claimable
from pingvas.core.db.rows import columns_of, instances, read_together
from pingvas.core.db.statements import Bound, Statement

LEASE = timedelta(seconds=settings.LEASE_SECONDS)
LOADING_LIMIT = timedelta(minutes=10)
SHORTEST_DEADLINE = timedelta(seconds=60)
DEADLINE_HOLDS = 3
# A job that has waited this long goes before its user's better-placed jobs.
AGED = timedelta(minutes=10)
# A warm model may be preferred among this many of a user's equally placed jobs.
WARM_LOOKAHEAD = 32
# Another worker may take the head between our look and our lock.
TRIES = 5

_CLAIM = """
WITH picked AS (
    SELECT s.user_id, s.{start} AS start, s.{finish} AS finish, head.batch_id,
           head.quoted_credits * head.batch_size / greatest(head.priority, 1)::float
               AS used
    FROM queue_shares s
    CROSS JOIN LATERAL (
        SELECT batch_id, batch_size, quoted_credits, priority FROM (
            (SELECT batch_id, batch_size, quoted_credits, priority, 0 AS place FROM (
                SELECT j.batch_id, j.batch_size, j.quoted_credits, j.priority,
                       j.created_at
                FROM generation_jobs j
                WHERE j.user_id = s.user_id AND {free} AND {for_worker}
                ORDER BY j.created_at, j.id LIMIT 1
             ) oldest
             -- Asked of the one row: inside, it would tempt the planner to read
             -- everybody's history by its age.
             WHERE created_at < now() - %(aged)s)
            UNION ALL
            (SELECT batch_id, batch_size, quoted_credits, priority, 1 AS place FROM (
                SELECT j.id, j.batch_id, j.batch_size, j.quoted_credits, j.priority,
                       j.model, j.created_at
                FROM generation_jobs j
                WHERE j.user_id = s.user_id AND {free} AND {for_worker}
                ORDER BY j.priority DESC, j.created_at, j.id LIMIT %(lookahead)s
             ) near
             ORDER BY priority DESC, (model = ANY(%(warm)s::text[])) DESC,
                      created_at, id
             LIMIT 1)
        ) candidates ORDER BY place LIMIT 1
    ) head
    WHERE s.{place_claimable} AND s.tier = ANY(%(tiers)s::text[])
    ORDER BY s.{finish}, s.{since}, s.user_id
    LIMIT 1
    FOR UPDATE OF s SKIP LOCKED
), claimed AS (
    UPDATE generation_jobs j SET
        status = 'in_progress',
        attempt = j.attempt + 1,
        worker_id = %(worker)s,
        started_at = now(),
        lease_expires_at = now() + %(lease)s,
        deadline_at = now() + %(loading)s
    FROM picked
    WHERE j.user_id = picked.user_id AND j.batch_id = picked.batch_id
      AND {free} AND {for_worker}
    RETURNING j.id
)
SELECT picked.user_id, picked.used, picked.start, picked.finish,
       array_remove(array_agg(claimed.id), NULL)
FROM picked LEFT JOIN claimed ON true
GROUP BY 1, 2, 3, 4
"""


def _claim_in(place: LanePlace) -> Statement:
    free = f"j.lane = '{place.lane}' AND {claimable('j')}"
    return Statement.of(_CLAIM, **place.parts(), free=free, for_worker=FOR_WORKER)


_CLAIMS = {lane: _claim_in(place) for lane, place in PLACES.items()}

# A share that stood before the picked one was passed over: locked this moment, or not
# for this worker. It must not hold the present back, or those who have used the queue
# since would wait behind every newcomer. A clock that another claim is moving is left
# to it: claims never wait for each other.
_ADVANCE_CLOCK = """
    UPDATE queue_clock SET {clock} = t.present
    FROM (
        SELECT coalesce((
            SELECT {start} FROM queue_shares
            WHERE {place_claimable} AND {finish} >= %(finish)s
            ORDER BY {start} LIMIT 1
        ), %(served)s) AS present
    ) t
    WHERE {clock} < t.present
      AND id IN (SELECT id FROM queue_clock FOR UPDATE SKIP LOCKED)
"""
_ADVANCES = {
    lane: Statement.of(_ADVANCE_CLOCK, **place.parts())
    for lane, place in PLACES.items()
}

_CLAIMED = """
    SELECT {columns} FROM generation_jobs AS job
    WHERE job.id = ANY(%(jobs)s) ORDER BY job.batch_index
"""
# Those of the attempts that still are the worker's: a job that was claimed again since
# then has another number or moment.
_OURS = """
    generation_jobs AS job JOIN
        unnest(%(jobs)s::uuid[], %(numbers)s::smallint[], %(claimed)s::timestamptz[])
        AS ours(job_id, number, claimed_at)
    ON job.id = ours.job_id AND job.attempt = ours.number AND job.status = 'in_progress'
      AND (ours.claimed_at IS NULL OR job.started_at = ours.claimed_at)
"""
# Without the user's share, so in one order: see `generation.services.queue`.
_OURS_LOCKED = f"""
    (SELECT job.id FROM {_OURS} ORDER BY job.id FOR NO KEY UPDATE OF job) AS locked
    WHERE generation_jobs.id = locked.id
"""  # noqa: S608  # our own words
_START_BILLED = Statement.of(
    """
    UPDATE generation_jobs SET deadline_at = now() + greatest(
        %(each)s * quoted_credits * batch_size, %(shortest)s)
    FROM {ours}
    """,
    ours=_OURS_LOCKED,
)
_START_FREE = Statement.of(
    """
    UPDATE generation_jobs SET deadline_at = now() + %(limit)s FROM {ours}
    """,
    ours=_OURS_LOCKED,
)
_RENEW = Statement.of(
    """
    UPDATE generation_jobs SET lease_expires_at = now() + %(lease)s
    FROM {ours} AND deadline_at > now()
    RETURNING generation_jobs.id, cancel_requested_at IS NOT NULL
    """,
    ours=_OURS_LOCKED,
)
_LOOK = Statement.of(
    """
    SELECT job.id, job.cancel_requested_at IS NOT NULL
    FROM {ours} AND job.deadline_at > now() AND job.lease_expires_at > now()
    """,
    ours=_OURS,
)


@cache
def _claimed() -> Statement:
    return Statement.of(_CLAIMED, columns=columns_of(GenerationJob, "job"))


@dataclass(frozen=True, kw_only=True)
class WorkerOffer:
    """What a worker can take: its lane, tiers, modules, bytes and models (None: any),
    less those that it leaves to others; and the models that it has loaded.
    """

    worker_id: UUID
    lane: str = Lane.GPU
    tiers: Sequence[str]
    capabilities: Sequence[str] | None = None
    largest_bytes: int | None = None
    served_models: Sequence[str] | None = None
    left_alone: Sequence[str] = ()
    warm_models: Sequence[str] = ()


class _Picked(NamedTuple):
    user_id: UUID
    used: float
    start: float
    finish: float
    job_ids: list[UUID]


@dataclass(frozen=True)
class Standing:
    """What became of a worker's attempts: those it still holds, those to stop."""

    held: frozenset[UUID]
    cancelled: frozenset[UUID]


@transaction.atomic(savepoint=False)
def claim_jobs(offer: WorkerOffer) -> list[GenerationJob]:
    """Lease the next submission's waiting jobs to this worker; empty when none is left.

    Acts as the service. Locks one queue share, never waits for one.
    """
    picked = _pick_present(offer)
    if picked is None:
        return []
    jobs = _settle_claim(picked, offer.lane)
    for job in jobs:
        announce(job, JobStarted, phase="loading", attempt=job.attempt)
    return jobs


def _settle_claim(picked: _Picked, lane: str) -> list[GenerationJob]:
    """Move the share and the clock on, in one flight, and wake who else waits."""
    served = picked.start + picked.used
    places, _, rows, work = read_together(
        [
            refresh(picked.user_id, used=picked.used, lane=lane),
            _ADVANCES[Lane(lane)].bind(finish=picked.finish, served=served),
            _claimed().bind(jobs=picked.job_ids),
            TIERS_WITH_WORK[Lane(lane)],
        ]
    )
    wake_tiers_on_commit(lane, places, work)
    return instances(GenerationJob, rows)


def attempt_of(job: GenerationJob) -> Attempt:
    return Attempt(
        job_id=job.id,
        user_id=job.user_id,
        number=job.attempt,
        claimed_at=job.started_at,
    )


def renew_leases(attempts: Sequence[Attempt]) -> Standing:
    """Renew what is still ours and within its deadline, by the database's clock."""
    return _standing(_run_over(attempts, _RENEW, lease=LEASE))


def read_standing(attempts: Sequence[Attempt]) -> Standing:
    """The same look without renewing: cheap enough for every second."""
    return _standing(_run_over(attempts, _LOOK))


def _standing(rows: Sequence[tuple[UUID, bool]]) -> Standing:
    return Standing(
        held=frozenset(row[0] for row in rows),
        cancelled=frozenset(row[0] for row in rows if row[1]),
    )


@transaction.atomic(savepoint=False)
def start_billed_phase(attempts: Sequence[Attempt]) -> None:
    """Loading is over: from here each job has thrice its hold, a minute at least."""
    each = timedelta(seconds=DEADLINE_HOLDS)
    _run_over(attempts, _START_BILLED, each=each, shortest=SHORTEST_DEADLINE)


@transaction.atomic(savepoint=False)
def start_free_phase(attempts: Sequence[Attempt]) -> None:
    """From here nobody pays: the store may take as long as a loading may."""
    _run_over(attempts, _START_FREE, limit=LOADING_LIMIT)


def _run_over(
    attempts: Sequence[Attempt], statement: Statement, **values: Any
) -> list[Any]:
    """What `statement` returns for those of the attempts that still are ours."""
    ours = {
        "jobs": [attempt.job_id for attempt in attempts],
        "numbers": [attempt.number for attempt in attempts],
        "claimed": [attempt.claimed_at for attempt in attempts],
    }
    [rows] = read_together([statement.bind(**ours, **values)])
    return rows


def _pick_present(offer: WorkerOffer) -> _Picked | None:
    for _ in range(TRIES):
        picked = _pick(offer)
        if picked is None or picked.job_ids:
            return picked
        # The head went elsewhere between our look and our lock: renew and look again.
        refresh_share(picked.user_id)
    # Work may be left: let another claim look.
    look_on_commit()
    return None


def _pick(offer: WorkerOffer) -> _Picked | None:
    [rows] = read_together([claim_of(offer)])
    return _Picked(*rows[0]) if rows else None


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def claim_of(offer: WorkerOffer) -> Bound:
    return _CLAIMS[Lane(offer.lane)].bind(
        worker=offer.worker_id,
        tiers=list(offer.tiers),
        capabilities=_listed(offer.capabilities),
        largest=offer.largest_bytes,
        served=_listed(offer.served_models),
        left_alone=list(offer.left_alone),
        warm=list(offer.warm_models),
        lease=LEASE,
        aged=AGED,
        lookahead=WARM_LOOKAHEAD,
        loading=LOADING_LIMIT,
    )
