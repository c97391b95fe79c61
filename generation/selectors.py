"""Reading jobs and the queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from generation.models import GenerationJob, Worker
from generation.pricing import MARGIN
from generation.states import CLAIMABLE
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now
from pingvas.core.errors import NotFound

# A worker beats every five seconds; this long without one, it is gone.
WORKER_SILENCE = timedelta(seconds=20)

_AHEAD = """
    WITH mine AS (
        SELECT s.user_id, s.virtual_start, j.priority, j.created_at, j.id,
            j.quoted_credits * j.batch_size / greatest(j.priority, 1)::float AS used,
            (SELECT count(DISTINCT batch_id) FROM generation_jobs o
             WHERE o.user_id = j.user_id AND o.status IN ('pending', 'queued')
               AND o.batch_id <> j.batch_id
               AND (-o.priority, o.created_at, o.id) < (-j.priority, j.created_at, j.id)
            ) AS before
        FROM generation_jobs j JOIN queue_shares s USING (user_id)
        WHERE j.id = %(job)s
    )
    SELECT mine.before, coalesce(sum(least(
        (SELECT count(DISTINCT batch_id) FROM generation_jobs w
         WHERE w.user_id = s.user_id AND w.status IN ('pending', 'queued')),
        1 + floor(
            (mine.virtual_start + mine.used * (mine.before + 1) - s.virtual_finish)
            / greatest(s.virtual_finish - s.virtual_start, 1e-9))
    )), 0)
    FROM mine LEFT JOIN LATERAL (
        SELECT * FROM queue_shares
        WHERE claimable AND user_id <> mine.user_id
          AND virtual_finish < mine.virtual_start + mine.used * (mine.before + 1)
        ORDER BY virtual_finish LIMIT 1000
    ) s ON true
    GROUP BY mine.before
"""


@dataclass(frozen=True)
class Place:
    """Where a waiting job stands: submissions ahead of it and who could run it.

    expected_wait: seconds, None when no live worker can serve the job.
    """

    ahead: int
    workers: int
    expected_wait: float | None


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
    seconds = job.quoted_credits * job.batch_size / MARGIN
    # Other users' places decide this one's: only the service sees them.
    with acting_as(SERVICE):
        job.place = place_in_queue(job, seconds)  # type: ignore[attr-defined]
    return job


def live_workers(*, tier: str, model: str) -> QuerySet[Worker]:
    """Workers that beat lately and serve this tier and model."""
    return Worker.objects.filter(
        Q(served_models=None) | Q(served_models__contains=[model]),
        tiers__contains=[tier],
        heartbeat_at__gt=Now() - WORKER_SILENCE,
    )


def serving_hardware(*, tier: str, model: str) -> list[str]:
    """The classes of hardware that would run such a job now."""
    found = live_workers(tier=tier, model=model).values_list(
        "hardware_class", flat=True
    )
    return sorted(set(found))


def place_in_queue(job: GenerationJob, seconds_each: float) -> Place | None:
    """Where a waiting job stands; None once it runs. Acts as the service.

    seconds_each: what one submission of this size takes, as measured.
    """
    if job.status not in CLAIMABLE:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_AHEAD, {"job": job.id})
        own, others = cursor.fetchone() or (0, 0)
    workers = live_workers(tier=job.tier, model=job.model).count()
    ahead = int(own) + int(others)
    wait = ahead * seconds_each / workers if workers else None
    return Place(ahead=ahead, workers=workers, expected_wait=wait)
