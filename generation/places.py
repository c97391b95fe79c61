"""Where a waiting job stands, and how long it may take until it starts."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from generation.lanes import PLACES, Lane
from generation.models import WORKER_SILENCE, GenerationJob
from generation.needs import CAN_RUN
from generation.pricing import MARGIN
from generation.states import WAITING
from generation.waiting import claimable
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement

_AHEAD = """
    WITH mine AS (
        SELECT s.user_id, s.{start} AS start, j.priority, j.created_at, j.id,
            j.quoted_credits * j.batch_size / greatest(j.priority, 1)::float AS used,
            (SELECT count(DISTINCT batch_id) FROM generation_jobs o
             WHERE o.user_id = j.user_id AND o.lane = '{lane}' AND {others_wait}
               AND o.batch_id <> j.batch_id
               AND (-o.priority, o.created_at, o.id) < (-j.priority, j.created_at, j.id)
            ) AS before
        FROM generation_jobs j JOIN queue_shares s USING (user_id)
        WHERE j.id = %(job)s
    )
    SELECT mine.before, coalesce(sum(least(
        (SELECT count(DISTINCT batch_id) FROM generation_jobs w
         WHERE w.user_id = s.user_id AND w.lane = '{lane}' AND {they_wait}),
        1 + floor(
            (mine.start + mine.used * (mine.before + 1) - s.{finish})
            / greatest(s.{finish} - s.{start}, 1e-9))
    )), 0)
    FROM mine LEFT JOIN LATERAL (
        SELECT * FROM queue_shares
        WHERE {place_claimable} AND user_id <> mine.user_id
          AND {finish} < mine.start + mine.used * (mine.before + 1)
        ORDER BY {finish} LIMIT 1000
    ) s ON true
    GROUP BY mine.before
"""
# When each worker that could run the job is free, whose pass it runs until then, and
# how long it would load a model that it does not hold. A quote is the measured time
# with its margin.
_SLOTS = Statement.of(
    """
    SELECT coalesce(max(extract(epoch FROM
            running.started_at
            + running.quoted_credits * running.batch_size / %(margin)s
                * interval '1 second'
            - now()
        )), 0)::float,
        coalesce(bool_or(running.user_id = %(user)s), false),
        CASE
            WHEN %(model)s = ANY(worker.warm_models)
                OR bool_or(running.model = %(model)s) THEN 0
            ELSE coalesce(max(speed.loading_milliseconds), 0) / 1000
        END::float
    FROM generation_workers AS worker
    LEFT JOIN model_speeds AS speed
        ON speed.model = %(model)s AND speed.hardware_class = worker.hardware_class
    LEFT JOIN generation_jobs AS running
        ON running.worker_id = worker.id AND running.status = 'in_progress'
    WHERE {can_run}
    GROUP BY worker.id
    """,
    can_run=CAN_RUN,
)
_AT_LIMIT = """
    SELECT NOT ({has_room}) FROM queue_shares s WHERE user_id = %(user)s
"""
_AHEAD_IN = {
    lane: Statement.of(
        _AHEAD,
        **place.parts(),
        others_wait=claimable("o"),
        they_wait=claimable("w"),
    )
    for lane, place in PLACES.items()
}
_AT_LIMIT_IN = {
    lane: Statement.of(_AT_LIMIT, has_room=place.has_room(counts="s", share="s"))
    for lane, place in PLACES.items()
}


class Slot(NamedTuple):
    """A worker: in how many seconds it is free, whether it runs the user's own, and
    the seconds that it would load the model.
    """

    free_in: float
    is_own: bool = False
    loading: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where a waiting job stands: submissions ahead of it and who could run it.

    expected_wait: seconds, None when no live worker can serve the job.
    """

    ahead: int
    workers: int
    expected_wait: float | None


def place_in_queue(job: GenerationJob) -> Place | None:
    """Where a waiting job stands; None once it runs. Acts as the service.

    None as well while it waits for other jobs: it stands in no line yet.
    """
    if job.status not in WAITING or job.waits_on:
        return None
    lane = Lane(job.lane)
    ahead, found, at_limit = read_together(
        [
            _AHEAD_IN[lane].bind(job=job.id),
            _SLOTS.bind(
                user=job.user_id,
                lane=job.lane,
                tier=job.tier,
                needs=job.needs,
                bytes=job.needs_bytes,
                model=job.model,
                margin=MARGIN,
                silence=WORKER_SILENCE,
            ),
            _AT_LIMIT_IN[lane].bind(user=job.user_id),
        ]
    )
    own, others = ahead[0] if ahead else (0, 0)
    slots = [Slot(max(free_in, 0.0), *others) for free_in, *others in found]
    before = int(own) + int(others)
    seconds = job.quoted_credits * job.batch_size / MARGIN
    wait = expect_wait(slots, before, seconds)
    if at_limit and at_limit[0][0]:
        wait = _behind_own(slots, wait)
    return Place(ahead=before, workers=len(slots), expected_wait=wait)


def expect_wait(slots: Sequence[Slot], ahead: int, seconds: float) -> float | None:
    """Seconds until a worker begins to draw for the one behind `ahead` others.

    Each of them is taken to last `seconds`, as the job itself would, and may be of
    another model: whoever does not hold this one now loads it then.
    """
    if not slots:
        return None
    rounds, rest = divmod(ahead, len(slots))
    free = [(slot.free_in + rounds * seconds, slot.loading) for slot in slots]
    heapq.heapify(free)
    for _ in range(rest):
        heapq.heapreplace(free, (free[0][0] + seconds, free[0][1]))
    return round(sum(free[0]), 1)


def _behind_own(slots: Sequence[Slot], wait: float | None) -> float | None:
    """At the running limit one of the user's own has to end first."""
    own = [slot.free_in for slot in slots if slot.is_own]
    return wait if wait is None or not own else max(wait, round(min(own), 1))
