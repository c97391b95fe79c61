"""What happened to one job, in order, for the staff's page of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from generation.models import GenerationJob

PHASES = ("waiting", "loading", "denoising", "decoding", "encoding", "uploading")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`after`: since the moment before it; None for the first."""

    name: str
    at: datetime
    after: timedelta | None


def job_timeline(job: GenerationJob) -> dict[str, Any]:
    """`moments` in order, and `phases` of the run as (name, milliseconds)."""
    return {"job": job, "moments": _moments(job), "phases": _phases(job)}


def _moments(job: GenerationJob) -> list[Moment]:
    known = [
        (_("Submitted"), job.created_at),
        (_("Queued"), job.queued_at),
        (_("Started"), job.started_at),
        (_("Cancellation asked for"), job.cancel_requested_at),
        (
            _("Ended: %(status)s") % {"status": job.get_status_display()},
            job.completed_at,
        ),
    ]
    told = sorted(((at, name) for name, at in known if at), key=lambda one: one[0])
    times = [at for at, _name in told]
    return [
        Moment(name=name, at=at, after=at - before if before else None)
        for (at, name), before in zip(told, [None, *times], strict=False)
    ]


def _phases(job: GenerationJob) -> list[tuple[str, int]]:
    # The column's type does not keep the order in which a worker told them.
    return sorted((job.timings or {}).items(), key=lambda phase: _rank(phase[0]))


def _rank(phase: str) -> int:
    return PHASES.index(phase) if phase in PHASES else len(PHASES)
