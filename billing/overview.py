"""Credits of everybody, for the staff's dashboard. Acts as the service."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from billing.models import CreditTransaction, HoldKind
from pingvas.core.cache import UNREADABLE, read_moment
from pingvas.core.redis import CREDITS_OVERVIEW_TTL_SECONDS, credits_overview


@dataclass(frozen=True, kw_only=True)
class CreditDay:
    """Credits of one day, UTC: what users got, adjustments included, and spent."""

    day: date
    granted: int = 0
    used: int = 0


@dataclass(frozen=True, kw_only=True)
class CreditOverview:
    """`at`: when it was added up."""

    at: datetime
    days: tuple[CreditDay, ...]


def recent_credits(days: int) -> CreditOverview:
    """`credits_by_day`, at most a minute old.

    A million postings in 30 days take most of a second to add up, on every visit of
    everybody; the ledger itself is always asked anew. Without the cache it is slower
    and nothing else.
    """
    now = timezone.now()
    key = credits_overview(now.date(), days)
    found = _read(cache.get(key))
    if found is None:
        found = CreditOverview(at=now, days=tuple(credits_by_day(days)))
        # Spelled out: the encoder's own form of a moment ends at milliseconds.
        kept = asdict(found) | {"at": now.isoformat()}
        cache.set(key, kept, CREDITS_OVERVIEW_TTL_SECONDS)
    return found


def _read(kept: Any) -> CreditOverview | None:
    """What the cache kept; None when that is no overview."""
    try:
        days = tuple(
            CreditDay(
                day=date.fromisoformat(one["day"]),
                granted=int(one["granted"]),
                used=int(one["used"]),
            )
            for one in kept["days"]
        )
        return CreditOverview(at=read_moment(kept["at"]), days=days)
    except UNREADABLE:
        return None


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
