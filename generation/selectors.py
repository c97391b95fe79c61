"""Reading jobs and the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch, QuerySet

from generation.models import (
    OF_THE_HOUSE,
    WORKER_SILENCE,
    GenerationJob,
    Submission,
)
from generation.places import place_in_queue
from generation.pricing import UNMEASURED, Speed
from pingvas.core.db.actor import SERVICE, acting_as
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


# Asked with every quote: making it from querysets takes longer than running it.
_SERVING_SPEED = """
    WITH serving AS (
        SELECT hardware_class FROM generation_workers
        WHERE (served_models IS NULL OR %(model)s = ANY(served_models))
          AND %(tier)s = ANY(tiers) AND heartbeat_at > now() - %(silence)s
    )
    SELECT step_milliseconds, around_milliseconds FROM model_speeds
    WHERE model = %(model)s AND (
        hardware_class IN (SELECT hardware_class FROM serving)
        OR NOT EXISTS (SELECT 1 FROM serving)
    )
    ORDER BY step_milliseconds DESC LIMIT 1
"""


def serving_speed(*, tier: str, model: str, base_model: str) -> Speed:
    """How fast `model` was measured on the hardware that would run such a job now.

    The slowest counts: the ceiling must hold. Without a live worker every class of
    hardware counts; a model that was never measured has the usual speed of its base.
    """
    values: dict[str, Any] = {"tier": tier, "model": model, "silence": WORKER_SILENCE}
    with connection.cursor() as cursor:
        cursor.execute(_SERVING_SPEED, values)
        row = cursor.fetchone()
    return Speed(*row) if row else UNMEASURED[base_model]
