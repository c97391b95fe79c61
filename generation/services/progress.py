"""Live progress: quick, in Redis alone, and never a reason for a job to fail."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import asdict
from uuid import UUID

from redis.exceptions import RedisError

from generation.events import JobProgress, to_event
from generation.services.lifecycle import Attempt
from pingvas.core.events import publish
from pingvas.core.redis import (
    JOB_TTL_SECONDS,
    job_preview,
    job_progress,
    job_status,
    redis_client,
)

log = logging.getLogger(__name__)


def preview_path(job_id: UUID) -> str:
    return f"/api/v1/jobs/{job_id}/preview"


def report_status(job_id: UUID, status: str) -> None:
    """Write `job:{id}:status`, for an hour."""
    try:
        redis_client().set(job_status(job_id), status, ex=JOB_TTL_SECONDS)
    except RedisError:
        log.warning("status not written", extra={"job": str(job_id)})


def report_step(attempt: Attempt, *, step: int, total: int, preview: bool) -> None:
    """Write `job:{id}:progress` and tell the owner's screens."""
    # The number makes each preview a new address for the browser.
    url = f"{preview_path(attempt.job_id)}?step={step}" if preview else None
    told = JobProgress(step=step, total_steps=total, preview_url=url)
    try:
        redis_client().set(
            job_progress(attempt.job_id), json.dumps(asdict(told)), ex=JOB_TTL_SECONDS
        )
    except RedisError:
        log.warning("progress not written", extra={"job": str(attempt.job_id)})
    publish(to_event(attempt.user_id, told, job_id=attempt.job_id))


def store_preview(job_id: UUID, picture: bytes) -> None:
    """Keep the newest preview (JPEG or WebP bytes) for an hour."""
    text = base64.b64encode(picture).decode()
    try:
        redis_client().set(job_preview(job_id), text, ex=JOB_TTL_SECONDS)
    except RedisError:
        log.warning("preview not written", extra={"job": str(job_id)})


# What Redis holds instead of ours, or that it is away.
_UNREADABLE = (RedisError, ValueError, RecursionError)


def read_preview(job_id: UUID) -> bytes | None:
    """The newest preview; None when there is none that can be had."""
    try:
        text = redis_client().get(job_preview(job_id))
        return base64.b64decode(str(text), validate=True) if text else None
    except _UNREADABLE:
        return None


def read_progress(job_id: UUID) -> dict[str, object] | None:
    """What `report_step` wrote last; None when unknown."""
    try:
        text = redis_client().get(job_progress(job_id))
        found = json.loads(str(text)) if text else None
    except _UNREADABLE:
        return None
    return found if isinstance(found, dict) else None
