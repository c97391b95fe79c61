"""From an accepted job to its first step, with an idle worker and a loaded model."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID, uuid4

from accounts.models import User
from bench.filling import FIRST, fill_users, numbered_id, open_administrator
from bench.finishing import finish
from bench.models import register, starter_folder
from bench.report import Ratio, Rounds
from bench.worker import open_worker, submit, wait_for
from generation.models import GenerationJob
from generation.services.schedule import WorkerOffer, attempt_of, claim_jobs
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.redis import event_stream, redis_client
from pingvas.recipe.recipe import Recipe

ROUNDS = {True: 8, False: 40}
SPEC = Recipe(
    model="starter", prompt="a red star", width=128, height=128, steps=4, seeds=(7,)
)
# The worker serves studio alone, so that nobody else takes the claimed job of pro.
OFFER = WorkerOffer(worker_id=uuid4(), tiers=["pro"])
GOAL_MILLISECONDS = 150.0
PAUSE = 0.3


def measure(*, small: bool) -> list[Ratio]:
    """The wait as a multiple of a claim, and in milliseconds."""
    waiting, claiming = _people()
    register(starter_folder(), name="starter", base="sd15")
    with open_worker(WORKER_TIERS="studio"):
        for _ in range(3):
            _to_first_step(waiting)
            _claim(claiming)
        rounds = Rounds.alternate(
            ROUNDS[small], lambda: _to_first_step(waiting), lambda: _claim(claiming)
        )
    in_claims = rounds.ratio(
        name="accepted to first step",
        unit="ms",
        note="from the event job.queued, sent at commit, to the job.progress of step "
        "1, by their own time stamps; beside it one claim_jobs with its commit",
    )
    in_milliseconds = Ratio(
        name="  beside 150 ms",
        ours=in_claims.ours,
        other=GOAL_MILLISECONDS,
        unit="ms",
        ratio=in_claims.ours / GOAL_MILLISECONDS,
        goal="<= 1",
        note="the same figure, message, claim, first step and all",
    )
    return [in_claims, in_milliseconds]


def _people() -> tuple[User, User]:
    with open_administrator() as admin:
        fill_users(admin, FIRST, 1, tier="studio")
        fill_users(admin, FIRST + 1, 1, tier="pro")
    with acting_as(SERVICE):
        users = User.objects.in_bulk([numbered_id(FIRST), numbered_id(FIRST + 1)])
    return users[numbered_id(FIRST)], users[numbered_id(FIRST + 1)]


def _to_first_step(user: User) -> float:
    """Milliseconds by the events of one job, submitted while nothing runs."""
    time.sleep(PAUSE)
    [job] = submit(user, SPEC)
    wait_for([job.id])
    return _time_of(job, "job.progress") - _time_of(job, "job.queued")


def _time_of(job: GenerationJob, kind: str) -> float:
    """When the job's first event of that type was sent, in milliseconds."""
    entries: Any = redis_client().xrange(event_stream(UUID(str(job.user_id))))
    events = [json.loads(fields["event"]) for _, fields in entries]
    times = [
        event["ts"]
        for event in events
        if event["type"] == kind and event["job_id"] == str(job.id)
    ]
    return float(times[0])


def _claim(user: User) -> float:
    """Milliseconds of one claim and its commit."""
    submit(user, SPEC)
    started = time.perf_counter()
    with acting_as(SERVICE):
        [job] = claim_jobs(OFFER)
    elapsed = time.perf_counter() - started
    finish(attempt_of(job))
    return elapsed * 1000
