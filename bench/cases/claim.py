"""Claims from short and from endless queues, on the same server in turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection

from accounts.tiers import Tier
from bench.filling import (
    FIRST,
    analyze,
    empty_tables,
    open_administrator,
    start_events,
)
from bench.report import Ratio
from generation.services.schedule import WorkerOffer, claim_jobs
from pingvas.core.db.actor import SERVICE, acting_as

OFFER = WorkerOffer(worker_id=uuid4(), tiers=list(Tier.values), warm_models=["starter"])

_USERS = """
INSERT INTO users (id, email, tier, is_superuser)
SELECT ('00000000-0000-4000-8000-' || n)::uuid, 'user-' || n || '@example.com',
    'studio', false
FROM generate_series(%(first)s, %(last)s) AS n
"""
# Job k belongs to user k modulo their number; older jobs have smaller numbers.
_JOBS = """
INSERT INTO generation_jobs (
    id, user_id, tier, priority, status, prompt, model, width, height, quoted_credits,
    created_at, queued_at
)
SELECT gen_random_uuid(),
    ('00000000-0000-4000-8000-' || (%(first)s + k %% %(users)s))::uuid,
    'studio', 75, 'queued', 'a star', 'starter', 128, 128, 5,
    now() - interval '1 second' + k * interval '1 microsecond', now()
FROM generate_series(0, %(jobs)s - 1) AS k
"""
_SHARES = """
INSERT INTO queue_shares (
    user_id, tier, running_limit, waiting_since, claimable, virtual_finish
)
SELECT ('00000000-0000-4000-8000-' || n)::uuid, 'studio', 8, now(), true,
    (n - %(first)s) * 1e-9
FROM generate_series(%(first)s, %(last)s) AS n
"""


_RETURN = """
WITH job AS (
    UPDATE generation_jobs
    SET status = 'queued', attempt = 0, lease_expires_at = NULL, deadline_at = NULL
    WHERE id = %(job)s
)
UPDATE queue_shares SET running = 0, claimable = true WHERE user_id = %(user)s
"""
WARM_UP = 5


@dataclass(frozen=True)
class Queue:
    """So many waiting jobs, spread evenly over so many users."""

    jobs: int
    users: int

    def __str__(self) -> str:
        return f"{self.jobs:,} jobs of {self.users:,} users"


@dataclass(frozen=True)
class Size:
    queues: tuple[Queue, ...]
    claims: int


SHORT = Queue(jobs=100, users=10)
SIZES = {
    True: Size(queues=(Queue(50_000, 10), Queue(50_000, 1_000)), claims=60),
    False: Size(
        queues=(
            Queue(1_000_000, 10),
            Queue(1_000_000, 1_000),
            Queue(1_000_000, 100_000),
        ),
        claims=200,
    ),
}
TINIEST = Size(queues=(Queue(2_000, 50),), claims=5)


def measure(*, small: bool, size: Size | None = None) -> list[Ratio]:
    """Milliseconds of a claim from each long queue, as a multiple of a short one's."""
    size = size or SIZES[small]
    return [ratio for queue in size.queues for ratio in _compare(queue, size)]


@dataclass(frozen=True)
class Times:
    """Milliseconds of one claim: in all, and of its statements alone."""

    whole: float
    statements: float


def _compare(queue: Queue, size: Size) -> list[Ratio]:
    """The short queue before and after the long one: a busy moment meets both.

    The tables of one schema hold one queue at a time, so sides cannot alternate claim
    by claim. The statements are judged as well: the rest of a call is the same for
    every queue and would hide how they grow.
    """
    with open_administrator() as admin:
        short = _times(admin, SHORT, size)
        long = _times(admin, queue, size)
        short += _times(admin, SHORT, size)
        empty_tables(admin)
    return [
        _ratio(
            f"claim from {queue}",
            [time.whole for time in long],
            [time.whole for time in short],
            note=f"claim_jobs, commit, wake-ups; beside it {SHORT}",
        ),
        _ratio(
            "  its statements alone",
            [time.statements for time in long],
            [time.statements for time in short],
            note="the same calls, time in the driver from each statement to its rows",
        ),
    ]


def _ratio(name: str, long: list[float], short: list[float], *, note: str) -> Ratio:
    ours, other = statistics.median(long), statistics.median(short)
    return Ratio(
        name=name,
        ours=ours,
        other=other,
        unit="ms",
        ratio=ours / other,
        goal="<= 1.5",
        note=note,
    )


def _times(admin: psycopg.Connection[Any], queue: Queue, size: Size) -> list[Times]:
    empty_tables(admin)
    _fill(admin, queue)
    for _ in range(WARM_UP):
        _claim(admin)
    return [_claim(admin) for _ in range(size.claims)]


def _claim(admin: psycopg.Connection[Any]) -> Times:
    """Time one claim, then put its job back: every claim meets a queue of one length.

    Raises RuntimeError when it found none.
    """
    spent = 0.0

    def clock(execute: Any, *call: Any) -> Any:
        nonlocal spent
        begun = time.perf_counter()
        try:
            return execute(*call)
        finally:
            spent += time.perf_counter() - begun

    started = time.perf_counter()
    with connection.execute_wrapper(clock), acting_as(SERVICE):
        jobs = claim_jobs(OFFER)
    elapsed = time.perf_counter() - started
    if not jobs:
        raise RuntimeError("a claim found nothing in a filled queue")
    admin.execute(_RETURN, {"job": jobs[0].id, "user": jobs[0].user_id})
    return Times(whole=elapsed * 1000, statements=spent * 1000)


def _fill(admin: psycopg.Connection[Any], queue: Queue) -> None:
    values = {
        "first": FIRST,
        "last": FIRST + queue.users - 1,
        "users": queue.users,
        "jobs": queue.jobs,
    }
    for statement in (_USERS, _JOBS, _SHARES):
        admin.execute(statement, values)
    start_events(FIRST, min(queue.users, 2_000))
    admin.execute("CHECKPOINT")
    analyze(admin)
