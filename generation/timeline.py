"""What happened to one job, in order, for the staff's page of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generation.failures import words_for_staff
from generation.models import GenerationJob
from pingvas.core.staff_words import in_words

PHASES = {
    "waiting": gettext_lazy("Waiting"),
    "loading": gettext_lazy("Loading the model"),
    "denoising": gettext_lazy("Drawing"),
    "decoding": gettext_lazy("Decoding"),
    "encoding": gettext_lazy("Encoding"),
    "uploading": gettext_lazy("Uploading"),
}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`after`: since the moment before it; None for the first."""

    name: str
    at: datetime
    after: timedelta | None


def job_timeline(job: GenerationJob) -> dict[str, Any]:
    """`moments` in order, and `phases` of the run as (name, time)."""
    return {
        "job": job,
        "moments": _moments(job),
        "phases": _phases(job),
        "failure": words_for_staff(job.error_code) if job.error_code else "",
    }


def _moments(job: GenerationJob) -> list[Moment]:
    known = [
        (_("Submitted"), job.created_at),
        (_("Queued"), job.queued_at),
        (_("Started"), job.started_at),
        (_("Cancellation asked for"), job.cancel_requested_at),
        (
            _("Ended: %(status)s") % {"status": in_words(job, "status")},
            job.completed_at,
        ),
    ]
    told = sorted(((at, name) for name, at in known if at), key=lambda one: one[0])
    times = [at for at, _name in told]
    return [
        Moment(name=name, at=at, after=at - before if before else None)
        for (at, name), before in zip(told, [None, *times], strict=False)
    ]


def _phases(job: GenerationJob) -> list[tuple[str | Promise, str]]:
    # The column's type does not keep the order in which a worker told them.
    told: dict[str, int] = job.timings or {}
    known = [name for name in PHASES if name in told]
    others = sorted(told.keys() - PHASES.keys())
    return [
        (PHASES.get(name, name), _duration(told[name])) for name in [*known, *others]
    ]


def _duration(milliseconds: int) -> str:
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    return f"{milliseconds / 1000:.1f} s"
