"""Claims from short and from endless queues, on the same server in turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import connection

from accounts.tiers import Tier
from bench.clients import open_clients
from bench.filling import (
    FIRST,
    analyze,
    open_administrator,
    start_events,
)
from bench.house import copy_database
from bench.report import Ratio
from generation.services.schedule import WorkerOffer, claim_jobs
from pingvas.core.db.actor import SERVICE, acting_as

OFFER = WorkerOffer(
    worker_id=uuid4(),
    tiers=list(Tier.values),
    capabilities=["base:sd15", "base:sdxl"],
    largest_bytes=10**11,
    warm_models=["starter"],
)

_USERS = """
INSERT INTO users (id, email, tier, is_superuser)
SELECT ('00000000-0000-4000-8000-' || n)::uuid, 'user-' || n || '@example.com',
    'studio', false
FROM generate_series(%(first)s, %(last)s) AS n
"""
# Job k belongs to user k modulo their number. Half of them have waited longer than the
# ten minutes after which a job goes before its user's others.
_JOBS = """
INSERT INTO generation_jobs (
    id, user_id, tier, priority, status, prompt, model, width, height, quoted_credits,
    created_at, queued_at, needs, needs_bytes
)
SELECT gen_random_uuid(),
    ('00000000-0000-4000-8000-' || (%(first)s + k %% %(users)s))::uuid,
    'studio', 75, 'queued', 'a star', 'starter', 128, 128, 5,
    now() - interval '20 minutes' * (1 - k / %(jobs)s::float), now(),
    '{base:sd15}', 2000000000
FROM generate_series(0, %(jobs)s - 1) AS k
"""
_MODELS = """
INSERT INTO ai_models (id, name, type, base_model, file_size, is_official)
SELECT gen_random_uuid(), 'model ' || n, 'main', 'sd15', 2000000000, true
FROM generate_series(1, %(models)s) AS n
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
WARM_UP = 20
# More than any size makes: so many users have had an event before.
MOST_CLAIMS = 1_000


@dataclass(frozen=True)
class Queue:
    """So many waiting jobs, spread evenly over so many users; models are registered
    that none of them names.
    """

    jobs: int
    users: int
    models: int = 0

    def __str__(self) -> str:
        models = f" beside {self.models:,} models" if self.models else ""
        return f"{self.jobs:,} jobs of {self.users:,} users{models}"


@dataclass(frozen=True)
class Size:
    queues: tuple[Queue, ...]
    claims: int


SHORT = Queue(jobs=100, users=10)
SIZES = {
    True: Size(
        queues=(
            Queue(50_000, 10),
            Queue(50_000, 1_000),
            Queue(50_000, 1_000, models=100_000),
        ),
        claims=60,
    ),
    False: Size(
        queues=(
            Queue(1_000_000, 10),
            Queue(1_000_000, 1_000),
            Queue(1_000_000, 100_000, models=100_000),
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
    """Claims in turns from two databases of one server, a process at each.

    The statements are judged as well: the rest of a call is the same for every queue
    and would hide how they grow.
    """
    database = connection.settings_dict["NAME"]
    short, long = f"{database}_short", f"{database}_long"
    _disconnect()
    with (
        copy_database(database, short),
        copy_database(database, long),
        open_clients(1, database=short) as short_side,
        open_clients(1, database=long) as long_side,
    ):
        short_side.apply(_prepare, (SHORT,))
        long_side.apply(_prepare, (queue,))
        times = [
            (long_side.apply(_claim), short_side.apply(_claim))
            for _ in range(size.claims)
        ]
    return [
        _ratio(
            f"claim from {queue}",
            [(ours.whole, other.whole) for ours, other in times],
            note=f"claim_jobs, commit, wake-ups; beside it {SHORT}, claim by claim",
        ),
        _ratio(
            "  its statements alone",
            [(ours.statements, other.statements) for ours, other in times],
            note="the same calls, time in the driver from each statement to its rows",
        ),
    ]


def _ratio(name: str, times: list[tuple[float, float]], *, note: str) -> Ratio:
    ours = statistics.median(time[0] for time in times)
    other = statistics.median(time[1] for time in times)
    return Ratio(
        name=name,
        ours=ours,
        other=other,
        unit="ms",
        ratio=ours / other,
        goal="<= 1.5",
        note=note,
    )


def _disconnect() -> None:
    """A database with connections cannot be copied, and the pool keeps some."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's alone


def _prepare(queue: Queue) -> None:
    values = {
        "first": FIRST,
        "last": FIRST + queue.users - 1,
        "users": queue.users,
        "jobs": queue.jobs,
        "models": queue.models,
    }
    with open_administrator() as admin:
        for statement in (_USERS, _JOBS, _MODELS, _SHARES):
            admin.execute(statement, values)
        admin.execute("CHECKPOINT")
        analyze(admin)
    start_events(FIRST, min(queue.users, MOST_CLAIMS))
    for _ in range(WARM_UP):
        _claim()


def _claim() -> Times:
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
    with open_administrator() as admin:
        admin.execute(_RETURN, {"job": jobs[0].id, "user": jobs[0].user_id})
    return Times(whole=elapsed * 1000, statements=spent * 1000)
