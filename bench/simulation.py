"""A studio on a virtual clock: real submissions, claims and settlements, no waiting.

Every job takes one unit of time on one of the servers. Only the clock is made up: who
runs next is asked of PostgreSQL, through the services or through a rival's statement.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from uuid import UUID

from accounts.models import User
from bench.finishing import finish
from generation.models import GenerationJob
from generation.services.schedule import attempt_of
from generation.services.submit import submit_jobs
from pingvas.core.db.actor import acting_as, user_actor
from pingvas.recipe.recipe import Recipe

Claim = Callable[[], GenerationJob | None]
SPEC = Recipe(model="starter", prompt="a star", width=128, height=128, seeds=(7,))


@dataclass(order=True)
class Event:
    """A submission (`job` None) or the end of a job."""

    at: float
    order: int
    user: User = field(compare=False)
    job: GenerationJob | None = field(compare=False, default=None)


@dataclass
class Simulation:
    """So many servers, and the queue in PostgreSQL.

    waits: from submission to start, by user, in service times. Jobs that still wait
    when the clock stops count with what they have waited.
    """

    claim: Claim
    servers: int
    clock: float = 0.0
    waits: dict[UUID, list[float]] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _waiting: dict[UUID, tuple[UUID, float]] = field(default_factory=dict)
    _busy: int = 0

    def plan(self, at: float, user: User) -> None:
        """Let `user` submit one job at that time."""
        heapq.heappush(self._events, Event(at, next(self._order), user))

    def run(self, until: float) -> None:
        """Play every event before `until`."""
        while self._events and self._events[0].at < until:
            event = heapq.heappop(self._events)
            self.clock = event.at
            if event.job is None:
                self._submit(event.user)
            else:
                self._busy -= 1
                finish(attempt_of(event.job), milliseconds=1000)
            self._start_all(event.user)
        for user_id, since in self._waiting.values():
            self._wait(user_id, until - since)

    def _submit(self, user: User) -> None:
        with acting_as(user_actor(user.id)):
            [job] = submit_jobs(user=user, recipe=SPEC)
        self._waiting[job.id] = (user.id, self.clock)

    def _start_all(self, user: User) -> None:
        while self._busy < self.servers:
            job = self.claim()
            if job is None:
                return
            user_id, since = self._waiting.pop(job.id)
            self._wait(user_id, self.clock - since)
            self._busy += 1
            end = Event(self.clock + 1.0, next(self._order), user, job)
            heapq.heappush(self._events, end)

    def _wait(self, user_id: UUID, time: float) -> None:
        self.waits.setdefault(user_id, []).append(time)


def plan_arrivals(
    simulation: Simulation, users: Sequence[User], *, rate: float, until: float
) -> None:
    """Poisson arrivals of `rate` jobs a service time in all, evenly over `users`.

    The same for every simulation: rivals meet the same day.
    """
    random = Random(7)  # noqa: S311 - arrivals, not secrets
    at = random.expovariate(rate)
    while at < until:
        simulation.plan(at, random.choice(users))
        at += random.expovariate(rate)
