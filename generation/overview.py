"""Everybody's queue at a glance, for the staff's dashboard. Acts as the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, QuerySet
from django.utils import timezone

from accounts.tiers import Tier
from generation.failures import words_for_staff
from generation.models import WORKER_SILENCE, GenerationJob, Worker
from generation.states import FAILED, IN_PROGRESS, WAITING
from pingvas.core.db.functions import Now

# A job ends within this time of its submission, give or take; failures are looked for
# by the index on `created_at`, the only one by time.
LONGEST_LIFE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class TierQueue:
    """Jobs of one tier that wait; `oldest_wait` is None where none does."""

    tier: str
    waiting: int = 0
    oldest_wait: timedelta | None = None

    @property
    def name(self) -> str:
        return Tier(self.tier).label

    @property
    def oldest_wait_clock(self) -> str:
        """`0:03:20`; days come first in a queue that stands still."""
        if self.oldest_wait is None:
            return "–"
        return str(timedelta(seconds=int(self.oldest_wait.total_seconds())))


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Failed jobs with one reason; `example` is the newest one's message."""

    code: str
    jobs: int
    last_at: datetime
    example: str

    @property
    def words(self) -> str:
        return words_for_staff(self.code)


def queue_by_tier() -> list[TierQueue]:
    """Every tier, highest first, also where nobody waits."""
    now = timezone.now()
    rows = (
        GenerationJob.objects.filter(status__in=WAITING)
        .values_list("tier")
        .annotate(Count("id"), Min("created_at"))
    )
    found = {
        tier: TierQueue(tier=tier, waiting=waiting, oldest_wait=now - oldest)
        for tier, waiting, oldest in rows
    }
    return [found.get(tier, TierQueue(tier=tier)) for tier in reversed(Tier.values)]


def running_jobs() -> int:
    return GenerationJob.objects.filter(status=IN_PROGRESS).count()


def live_workers() -> QuerySet[Worker]:
    return Worker.objects.filter(heartbeat_at__gt=Now() - WORKER_SILENCE).order_by(
        "name"
    )


def recent_failures(within: timedelta) -> list[Failure]:
    """The reasons of failed jobs that ended `within` this time, most frequent first."""
    since = timezone.now() - within
    failed = GenerationJob.objects.filter(
        status=FAILED, created_at__gte=since - LONGEST_LIFE, completed_at__gte=since
    )
    rows = (
        failed.values_list("error_code")
        .annotate(jobs=Count("id"), last=Max("completed_at"))
        .order_by("-jobs")[:10]
    )
    return [
        Failure(
            code=code or "",
            jobs=jobs,
            last_at=last,
            example=_message(failed.filter(error_code=code, completed_at=last)),
        )
        for code, jobs, last in rows
    ]


def _message(failed: QuerySet[GenerationJob]) -> str:
    found = failed.values_list("error_message", flat=True).first()
    return found or ""
