"""Credits of everybody, for the staff's dashboard. Acts as the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from billing.models import CreditTransaction, HoldKind


@dataclass(frozen=True, kw_only=True)
class CreditDay:
    """Credits of one day, UTC: what users got, adjustments included, and spent."""

    day: date
    granted: int = 0
    used: int = 0


def credits_by_day(days: int) -> list[CreditDay]:
    """The last `days` days up to today, also those without a posting."""
    today = timezone.now().date()
    first = today - timedelta(days=days - 1)
    midnight = datetime.combine(first, time(), UTC)
    granted = Sum("amount", filter=Q(amount__gt=0))
    used = Sum("amount", filter=Q(type__in=HoldKind.values))
    rows = (
        CreditTransaction.objects.filter(created_at__gte=midnight)
        .annotate(day=TruncDate("created_at", tzinfo=UTC))
        .values("day")
        .annotate(granted=Coalesce(granted, 0), used=Coalesce(used, 0))
        .order_by("day")
    )
    found = {
        row["day"]: CreditDay(day=row["day"], granted=row["granted"], used=-row["used"])
        for row in rows
    }
    each = (first + timedelta(days=ahead) for ahead in range(days))
    return [found.get(day, CreditDay(day=day)) for day in each]
