"""The one place that changes a job's status once it is queued.

Every write of a worker names its attempt: a worker that lost its lease (paused, cut
off, swept) raises StaleAttempt and changes nothing. Jobs are the service's to write,
whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.db.models import Field
from django.utils.translation import gettext_lazy as _

from billing.services.holds import release_hold, settle_cancelled, settle_hold
from gallery.services import StoredPicture, record_image
from generation.events import (
    JobCancelled,
    JobCompleted,
    JobEvent,
    JobFailed,
    JobQueued,
    to_event,
)
from generation.lanes import Lane
from generation.models import (
    MOST_ATTEMPTS,
    OF_THE_HOUSE,
    GenerationJob,
    JobStatus,
)
from generation.services.dependencies import count_again, count_one, descendants
from generation.services.queue import (
    LOCK_SHARE,
    refresh,
    refresh_share,
    try_lock_share,
)
from generation.services.wake import (
    TIERS_WITH_WORK,
    look_on_commit,
    wake_tiers_on_commit,
)
from generation.states import (
    CANCELLED,
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    QUEUED,
    TERMINAL,
    WAITING,
    before,
)
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now
from pingvas.core.db.rows import columns_of, instances, read_together
from pingvas.core.db.statements import Bound, Statement
from pingvas.core.errors import NotFound, PingvasError
from pingvas.core.events import publish_on_commit


class StaleAttempt(PingvasError):
    """This attempt at the job is over; whatever it made is to be thrown away."""

    code = "stale_attempt"
    status = 409
    message = _("Another worker has this job now.")


class NotCancelled(PingvasError):
    """Nobody asked to cancel this job: its worker may give it back, not end it."""

    code = "not_cancelled"
    status = 409


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One worker's try at one job.

    `claimed_at` tells it from another one of the same number: a job that was given back
    for no fault of its own keeps its count. None when the number alone shall decide.
    """

    job_id: UUID
    user_id: UUID
    number: int
    claimed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A picture that is stored, and what it took.

    timings: milliseconds by phase. billed_milliseconds: this job's share of the pass.
    """

    picture: StoredPicture
    timings: dict[str, int]
    billed_milliseconds: int
    pass_size: int


@acting_as(SERVICE, savepoint=False)
def complete_job(attempt: Attempt, finished: Finished) -> GenerationJob:
    """Record the picture, charge for it and end the job: all of it, or StaleAttempt."""
    job = _lock_attempt(attempt)
    image = record_image(job_id=job.id, user_id=job.user_id, picture=finished.picture)
    charge = settle_hold(job_id=job.id, milliseconds=finished.billed_milliseconds)
    columns = {
        "timings": _with_waiting(job, finished.timings),
        "pass_size": finished.pass_size,
        "duration_seconds": -(-finished.billed_milliseconds // 1000),
        "credits_consumed": charge,
    }
    _move(
        job,
        COMPLETED,
        columns,
        JobCompleted,
        image_id=str(image.id),
        charge=charge,
        released=job.quoted_credits - charge,
    )
    return job


@acting_as(SERVICE, savepoint=False)
def fail_job(attempt: Attempt, *, code: str, message: str) -> GenerationJob:
    """End the job without a picture and without a charge; StaleAttempt as above."""
    job = _lock_attempt(attempt)
    _fail(job, code, message)
    return job


@acting_as(SERVICE, savepoint=False)
def give_back_job(attempt: Attempt, *, code: str, message: str) -> GenerationJob:
    """Put the job back for another try, or fail it when its attempts are used up."""
    job = _lock_attempt(attempt)
    _take_back(job, code, message)
    return job


@acting_as(SERVICE, savepoint=False)
def return_job(attempt: Attempt) -> GenerationJob:
    """Put the job back as if it had not been tried: the fault was none of its own.

    For a worker that is told to stop, or finds the store away; whoever calls it does
    not take the same job again at once. A job that its user asked to cancel is
    cancelled, for nothing.
    """
    job = _lock_attempt(attempt)
    if job.cancel_requested_at is not None:
        _cancel(job, 0)
    else:
        _requeue(job, attempt=job.attempt - 1)
    return job


@acting_as(SERVICE, savepoint=False)
def end_cancelled_job(attempt: Attempt, *, milliseconds: int) -> GenerationJob:
    """End a running job that its user cancelled, and charge the GPU time it had.

    0 ms is free. Raises StaleAttempt, and NotCancelled when the user did not ask.
    """
    job = _lock_attempt(attempt)
    if job.cancel_requested_at is None:
        raise NotCancelled
    _cancel(job, milliseconds)
    return job


@acting_as(SERVICE, savepoint=False)
def cancel_job(*, user_id: UUID, job_id: UUID) -> GenerationJob:
    """Cancel a waiting job now, or ask the worker of a running one to stop.

    Telling it twice is telling it once; an ended job stays as it ended. NotFound for a
    job that is not the user's.
    """
    job = _lock_job(user_id, job_id)
    if job is None:
        raise NotFound
    if job.status in WAITING:
        _cancel(job, 0)
    elif job.status == IN_PROGRESS and job.cancel_requested_at is None:
        _update(job, {}, clocked=["cancel_requested_at"])
    return job


@acting_as(SERVICE, savepoint=False)
def cancel_submission(*, user_id: UUID, submission_id: UUID) -> None:
    """Cancel every job of it as above, in one go.

    NotFound for one that is not the user's, or is the house's. In the order of their
    ids, as their worker locks them: neither ever waits for the other in a circle.
    """
    jobs = GenerationJob.objects.filter(user_id=user_id, submission_id=submission_id)
    asked = jobs.exclude(submission__kind__in=OF_THE_HOUSE)
    found = list(asked.order_by("id").values_list("id", flat=True))
    if not found:
        raise NotFound
    for job_id in found:
        cancel_job(user_id=user_id, job_id=job_id)


@acting_as(SERVICE, savepoint=False)
def take_back_expired(*, job_id: UUID, user_id: UUID) -> GenerationJob | None:
    """Take a job from a worker whose lease ran out.

    None when that is settled by now, or when somebody is at it this moment.
    """
    if not try_lock_share(user_id):
        return None
    job = (
        GenerationJob.objects.select_for_update()
        .filter(id=job_id, status=IN_PROGRESS, lease_expires_at__lt=Now())
        .first()
    )
    if job is not None:
        _take_back(job, "worker_lost", str(_("The worker was lost three times.")))
    return job


@acting_as(SERVICE, savepoint=False)
def recount_parents(*, job_id: UUID, user_id: UUID) -> bool:
    """Put right what a job waits for; False when somebody is at it this moment.

    One with a lost parent is cancelled, and with it whatever waits for it.
    """
    if not try_lock_share(user_id):
        return False
    counted = count_one(job_id, user_id)
    job = _lock_job(user_id, job_id) if counted else None
    if counted and counted[1] and job is not None:
        _cancel(job, 0, **PARENT_FAILED)
    refresh_share(user_id)
    look_on_commit()
    return True


def announce(job: GenerationJob, kind: type[JobEvent], **data: Any) -> None:
    """Tell the owner's screens what became of the job, once this is committed."""
    told = kind(
        status=job.status,
        submission_id=str(job.submission_id or job.batch_id),
        batch_id=str(job.batch_id),
        **data,
    )
    publish_on_commit(to_event(job.user_id, told, job_id=job.id))


def _lock_attempt(attempt: Attempt) -> GenerationJob:
    job = _lock_job(attempt.user_id, attempt.job_id)
    if job is None or (job.status, job.attempt) != (IN_PROGRESS, attempt.number):
        raise StaleAttempt
    if attempt.claimed_at not in (None, job.started_at):
        raise StaleAttempt
    return job


# Written out: sent for every job that ends. Ids alone find the row, so that it is read
# as it is behind the locks.
_LOCK_JOB = """
    SELECT {columns} FROM generation_jobs AS job
    WHERE job.id = %(job)s AND job.user_id = %(user)s
    FOR UPDATE
"""


@cache
def _lock_job_statement() -> Statement:
    return Statement.of(_LOCK_JOB, columns=columns_of(GenerationJob, "job"))


def _lock_job(user_id: UUID, job_id: UUID) -> GenerationJob | None:
    """The user's queue, then the job, locked in one flight."""
    lock = _lock_job_statement().bind(user=user_id, job=job_id)
    _, rows = read_together([LOCK_SHARE.bind(user=user_id), lock])
    found = instances(GenerationJob, rows)
    return found[0] if found else None


def _take_back(job: GenerationJob, code: str, message: str) -> None:
    if job.cancel_requested_at is not None:
        _cancel(job, 0)
    elif job.attempt < MOST_ATTEMPTS:
        _requeue(job)
    else:
        _fail(job, code, message)


def _requeue(job: GenerationJob, **columns: Any) -> None:
    columns |= {"worker_id": None}
    attempt = columns.get("attempt", job.attempt)
    told = {"hold": job.quoted_credits, "attempt": attempt}
    _move(job, QUEUED, columns, JobQueued, **told)


# A picture that this one was to be made from was not made.
PARENT_FAILED = {
    "error_code": "parent_failed",
    "error_message": "A job that this one waited for did not complete.",
}


def _fail(job: GenerationJob, code: str, message: str) -> None:
    release_hold(job_id=job.id)
    columns = {"error_code": code, "error_message": message, "credits_consumed": 0}
    told = {"code": code, "message": message, "released": job.quoted_credits}
    _move(job, FAILED, columns, JobFailed, charge=0, **told)


def _cancel(job: GenerationJob, milliseconds: int, **columns: Any) -> None:
    charge = settle_cancelled(job_id=job.id, milliseconds=milliseconds)
    seconds = -(-milliseconds // 1000)
    columns |= {"credits_consumed": charge, "duration_seconds": seconds}
    released = job.quoted_credits - charge
    _move(job, CANCELLED, columns, JobCancelled, charge=charge, released=released)


def _move(
    job: GenerationJob,
    status: JobStatus,
    columns: dict[str, Any],
    kind: type[JobEvent],
    **told: Any,
) -> None:
    """Change the status of a locked job, and with it the user's place in the queue.

    Then tell the owner, and the workers of whatever can be claimed now.
    """
    behind = [refresh(job.user_id), TIERS_WITH_WORK[Lane(job.lane)]]
    *lost, places, work = _change(
        job, status, columns, behind=[*_follow(job, status), *behind]
    )
    announce(job, kind, **told)
    for child in instances(GenerationJob, chain.from_iterable(lost)):
        _cancel_child(child)
    wake_tiers_on_commit(job.lane, places, work)


def _follow(job: GenerationJob, status: JobStatus) -> list[Bound]:
    """What the end of a job means for those that wait for it; answers who is lost."""
    if status == COMPLETED:
        return [count_again(job)]
    return [descendants(job)] if status in TERMINAL else []


def _cancel_child(child: GenerationJob) -> None:
    """End one of all those that waited for a job that did not complete.

    They were never claimable: the user's places stay what they are. Their rows are
    locked after the balance, which is safe: whoever wants one holds the share first.
    """
    release_hold(job_id=child.id)
    _change(child, CANCELLED, {**PARENT_FAILED, "credits_consumed": 0})
    announce(child, JobCancelled, charge=0, released=child.quoted_credits)


def _change(
    job: GenerationJob,
    status: JobStatus,
    columns: Mapping[str, Any],
    *,
    behind: Sequence[Bound] = (),
) -> list[Any]:
    """Change the status of a locked job; what the statements behind it answered."""
    if job.status not in before(status):
        raise StaleAttempt
    ended = ["completed_at"] if status in TERMINAL else []
    leaving = {"status": status, "lease_expires_at": None, "deadline_at": None}
    return _update(job, {**columns, **leaving}, clocked=ended, behind=behind)


_UPDATE = """
    UPDATE generation_jobs SET {changes} WHERE id = %(job)s RETURNING now()
"""


def _update(
    job: GenerationJob,
    columns: Mapping[str, Any],
    *,
    clocked: Sequence[str] = (),
    behind: Sequence[Bound] = (),
) -> list[Any]:
    """Write columns of a locked job, the `clocked` ones by the database's clock.

    The statements of the queue that follow go in the same flight; what each answered.
    """
    fields = GenerationJob._meta.get_field
    values = {
        name: cast("Field[Any, Any]", fields(name)).get_db_prep_save(value, connection)
        for name, value in columns.items()
    }
    changes = [f"{name} = %({name})s" for name in columns]
    changes += [f"{name} = now()" for name in clocked]
    update = Statement.of(_UPDATE, changes=", ".join(changes)).bind(
        job=job.id, **values
    )
    [now], *others = read_together([update, *behind])
    for name, value in (dict(columns) | dict.fromkeys(clocked, now[0])).items():
        setattr(job, name, value)
    return others


def _with_waiting(job: GenerationJob, timings: dict[str, int]) -> dict[str, int]:
    waiting = (job.started_at or job.created_at) - job.created_at
    return {"waiting": int(waiting.total_seconds() * 1000), **timings}
