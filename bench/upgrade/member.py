"""One program of one version, started by `bench.upgrade.versions` in its checkout.

As `bench/probe.py`, this file runs with the code of either version: name only what both
have, under the same names. It says a line of JSON when it is ready, and ends when
standard input does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

# Of every tier as many, numbered from here on in `bench.filling`.
TIERS = {"free": 0, "studio": 100}
# Passes in hand: who is cut off leaves some of them.
HANDS = 3
BREATH = 1.0
IDLE_SECONDS = 0.05
SWEEP_SECONDS = 2.0
# One job in so many ends so, by the last digits of its id.
FAILING, RETURNED = 16, 17


class Worker:
    """Claims and ends jobs without an engine; what it ended goes to `told`."""

    def __init__(
        self, told: Callable[[str, str], object], *, seconds: float = 0.0
    ) -> None:
        """`seconds`: what a pass takes."""
        from accounts.tiers import Tier
        from generation.services.schedule import WorkerOffer

        self._told = told
        self._seconds = seconds
        self._offer = WorkerOffer(worker_id=uuid4(), tiers=list(Tier.values))

    def work(self) -> int:
        """Take a few passes in hand and end them; how many jobs there were."""
        passes = [jobs for _ in range(HANDS) if (jobs := self.claim())]
        for number, jobs in enumerate(passes):
            self._keep([job for mine in passes[number:] for job in mine])
            self.end(jobs)
        return sum(map(len, passes))

    def _keep(self, jobs: Sequence[Any]) -> None:
        """Let a pass go by, and the leases of all that is in hand not run out."""
        from generation.services.schedule import attempt_of, renew_leases
        from pingvas.core.db.actor import SERVICE, acting_as

        end = time.monotonic() + self._seconds
        while (rest := end - time.monotonic()) > 0:
            time.sleep(min(BREATH, rest))
            with acting_as(SERVICE):
                renew_leases([attempt_of(job) for job in jobs])

    def claim(self) -> list[Any]:
        from generation.services.schedule import (
            attempt_of,
            claim_jobs,
            start_billed_phase,
        )
        from pingvas.core.db.actor import SERVICE, acting_as

        with acting_as(SERVICE):
            jobs = claim_jobs(self._offer)
            if jobs:
                start_billed_phase([attempt_of(job) for job in jobs])
        return jobs

    def end(self, jobs: Sequence[Any]) -> None:
        from generation.services.lifecycle import StaleAttempt
        from generation.services.schedule import attempt_of, read_standing
        from pingvas.core.db.actor import SERVICE, acting_as

        attempts = [attempt_of(job) for job in jobs]
        with acting_as(SERVICE):
            cancelled = read_standing(attempts).cancelled
        for job, attempt in zip(jobs, attempts, strict=True):
            how = _fate(job, is_cancelled=job.id in cancelled)
            try:
                _ENDS[how](attempt)
            except StaleAttempt:
                how = "stale"
            self._told(str(job.id), how)


def _fate(job: Any, *, is_cancelled: bool) -> str:
    if is_cancelled:
        return "cancelled"
    if job.id.int % FAILING == 0:
        return "failed"
    # Once: it would come back for ever.
    if job.id.int % RETURNED == 0 and job.attempt == 1:
        return "given back"
    return "completed"


def _complete(attempt: Any) -> None:
    from bench.finishing import finish

    finish(attempt)


def _cancel(attempt: Any) -> None:
    from generation.services.lifecycle import end_cancelled_job

    end_cancelled_job(attempt, milliseconds=700)


def _fail(attempt: Any) -> None:
    from generation.services.lifecycle import fail_job

    fail_job(attempt, code="broken_picture", message="black throughout")


def _give_back(attempt: Any) -> None:
    from generation.services.lifecycle import give_back_job

    give_back_job(attempt, code="device_lost", message="the device is gone")


_ENDS = {
    "completed": _complete,
    "cancelled": _cancel,
    "failed": _fail,
    "given back": _give_back,
}


def make(each: str) -> None:
    """Users of every tier and a model; says the users with an access token each."""
    from accounts.models import User
    from accounts.tokens import issue_tokens
    from bench.filling import (
        FIRST,
        add_model,
        fill_users,
        numbered_id,
        open_administrator,
    )
    from pingvas.core.db.actor import SERVICE, acting_as

    numbers: list[int] = []
    with open_administrator() as admin:
        for tier, start in TIERS.items():
            fill_users(admin, FIRST + start, int(each), tier=tier)
            numbers += range(FIRST + start, FIRST + start + int(each))
    add_model()
    with acting_as(SERVICE):
        users = list(User.objects.filter(id__in=map(numbered_id, numbers)))
    _say([(str(user.id), user.tier, issue_tokens(user=user).access) for user in users])


def serve() -> None:
    """The web's process; says its port."""
    from bench.programs import open_web

    with open_web() as port:
        _say(port)
        sys.stdin.read()


def work(log: str, seconds: str) -> None:
    """A worker; writes which job it ended and how into `log`, line by line."""
    stop = Event()
    Thread(target=_await_end, args=[stop], daemon=True).start()
    with Path(log).open("a", buffering=1) as file:
        worker = Worker(
            lambda job, how: file.write(f"{job} {how}\n"), seconds=float(seconds)
        )
        _say("ready")
        _work_until(stop, worker)


def _await_end(stop: Event) -> None:
    sys.stdin.read()
    stop.set()


def _work_until(stop: Event, worker: Worker) -> None:
    from generation.services.sweep import sweep

    swept = 0.0
    while not stop.is_set():
        if time.monotonic() > swept + SWEEP_SECONDS:
            sweep()
            swept = time.monotonic()
        if not worker.work():
            stop.wait(IDLE_SECONDS)


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """The first argument names the part that this process plays."""
    import django

    django.setup()
    part, *arguments = sys.argv[1:]
    parts: dict[str, Callable[..., None]] = {
        "make": make,
        "serve": serve,
        "work": work,
    }
    parts[part](*arguments)


if __name__ == "__main__":
    main()
