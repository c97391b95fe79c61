"""A generation worker as `make run` starts it, and the jobs that it is given."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from accounts.models import User
from bench.programs import open_program, wait_until
from generation.models import GenerationJob, Worker
from generation.services.submit import submit_jobs
from generation.states import TERMINAL
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.recipe.recipe import Recipe

JOB_SECONDS = 120.0


@contextmanager
def open_worker(**variables: str) -> Iterator[int]:
    """The process id of the child that draws, once it has registered."""
    with open_program("generation", port=0, **variables):
        wait_until(_is_registered, what="the worker")
        with acting_as(SERVICE):
            worker = Worker.objects.get()
        yield int(worker.name.rpartition(":")[2])
        with acting_as(SERVICE):
            Worker.objects.all().delete()


def submit(user: User, recipe: Recipe) -> list[GenerationJob]:
    with acting_as(user_actor(user.id)):
        return submit_jobs(user=user, recipe=recipe)


def wait_for(job_ids: Sequence[UUID], *, seconds: float = JOB_SECONDS) -> None:
    """Until all of them are completed; RuntimeError for one that ended otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with acting_as(SERVICE):
            rows = GenerationJob.objects.filter(id__in=job_ids)
            states = set(rows.values_list("status", "error_message"))
        if states <= {("completed", None)}:
            return
        failed = [row for row in states if row[0] in TERMINAL and row[0] != "completed"]
        if failed:
            raise RuntimeError(f"a job of the bench ended as {failed[0]}")
        time.sleep(0.05)
    raise RuntimeError("the worker did not finish in time")


def resident_bytes(process: int) -> int:
    """What the process has in memory now."""
    status = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def processor_seconds(process: int) -> float:
    """What the process has taken of the processor so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_registered() -> bool:
    with acting_as(SERVICE):
        return Worker.objects.exists()
