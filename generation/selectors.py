"""Reading jobs and the queue."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Prefetch, QuerySet

from generation.lanes import Lane
from generation.models import (
    OF_THE_HOUSE,
    WORKER_SILENCE,
    GenerationJob,
    Submission,
)
from generation.needs import CAN_RUN, bytes_of, modules_for
from generation.places import place_in_queue
from generation.pricing import UNMEASURED, Speed
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement
from pingvas.core.errors import NotFound


def access_job(user_id: UUID, job_id: UUID) -> GenerationJob:
    """The user's own job; NotFound for anything else."""
    job = jobs_of(user_id).filter(id=job_id).first()
    if job is None:
        raise NotFound
    return job


def jobs_of(user_id: UUID) -> QuerySet[GenerationJob]:
    """The user's jobs, newest first; served by idx_generation_jobs_user_status."""
    return GenerationJob.objects.filter(user_id=user_id).order_by("-created_at", "-id")


def jobs_with_images(jobs: QuerySet[GenerationJob]) -> QuerySet[GenerationJob]:
    """The same jobs, each with its picture in one more join."""
    return jobs.select_related("image")


def describe_job(user_id: UUID, job_id: UUID) -> GenerationJob:
    """The user's own job with `place`, its standing in the queue while it waits."""
    job = jobs_with_images(jobs_of(user_id)).filter(id=job_id).first()
    if job is None:
        raise NotFound
    # Other users' places decide this one's: only the service sees them.
    with acting_as(SERVICE, savepoint=False):
        job.place = place_in_queue(job)  # type: ignore[attr-defined]
    return job


def submissions_of(user_id: UUID) -> QuerySet[Submission]:
    """What the user asked for, newest first, each with its jobs and their pictures.

    Served by idx_submissions_user_newest; the jobs of a page are one more query.
    """
    jobs = jobs_with_images(GenerationJob.objects.order_by("batch_id", "batch_index"))
    asked = Submission.objects.filter(user_id=user_id).order_by("-created_at", "-id")
    return asked.exclude(kind__in=OF_THE_HOUSE).prefetch_related(
        Prefetch("jobs", queryset=jobs.filter(user_id=user_id))
    )


def access_submission(user_id: UUID, submission_id: UUID) -> Submission:
    """The user's own submission; NotFound for anything else."""
    found = submissions_of(user_id).filter(id=submission_id).first()
    if found is None:
        raise NotFound
    return found


# Which workers could run it is asked as for a place in the queue; with every quote, so
# `submit` in bench/RESULTS.md counts it.
_SERVING_SPEED = Statement.of(
    """
    WITH serving AS (
        SELECT hardware_class FROM generation_workers worker WHERE {can_run}
    )
    SELECT step_milliseconds, around_milliseconds FROM model_speeds
    WHERE model = %(model)s AND (
        hardware_class IN (SELECT hardware_class FROM serving)
        OR NOT EXISTS (SELECT 1 FROM serving)
    )
    ORDER BY step_milliseconds DESC LIMIT 1
    """,
    can_run=CAN_RUN,
)


def serving_speed(*, tier: str, model: AIModel) -> Speed:
    """How fast `model` was measured on the hardware that would run such a job now.

    The slowest counts: the ceiling must hold. Without a live worker every class of
    hardware counts; a model that was never measured has the usual speed of its base.
    """
    asked = _SERVING_SPEED.bind(
        lane=Lane.GPU,
        tier=tier,
        model=model.name,
        needs=modules_for(model),
        bytes=bytes_of(model),
        silence=WORKER_SILENCE,
    )
    [rows] = read_together([asked])
    return Speed(*rows[0]) if rows else UNMEASURED[model.base_model or ""]
