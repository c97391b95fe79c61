"""What may be read about a user's credits. Never locks, never writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.db.models import F, Func, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.models import (
    CreditBalance,
    CreditHold,
    CreditTransaction,
    HoldKind,
    HoldStatus,
    TransactionType,
)

GRANTS = (TransactionType.SUBSCRIPTION_GRANT, TransactionType.SUBSCRIPTION_UPGRADE)


@dataclass(frozen=True, kw_only=True)
class BalanceSummary:
    """A user's credits, 1 credit being 1 second of GPU time.

    held: set aside for jobs that have not ended. available: what new jobs may hold.
    The month is the calendar month in UTC, by the database's clock.
    """

    balance: int = 0
    held: int = 0
    available: int = 0
    granted_this_month: int = 0
    used_this_month: int = 0
    last_granted_at: datetime | None = None


class _MonthStart(Func):
    template = "date_trunc('month', now(), 'UTC')"
    arity = 0
    output_field = models.DateTimeField()


# Asked with every submission: making it from a queryset takes longer than running it
# (`submit` in bench/RESULTS.md).
_DUE_FREE_MONTH = """
SELECT month.key FROM users
CROSS JOIN LATERAL (
    SELECT 'free:' || users.id || ':' || to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')
) AS month(key)
WHERE users.id = %s AND users.tier = 'free' AND users.is_active
    AND NOT EXISTS (
        SELECT 1 FROM credit_transactions WHERE idempotency_key = month.key
    )
"""


def _total(rows: models.QuerySet[Any]) -> Coalesce:
    """The sum of `amount` as a subquery: 0 for no rows, and one statement in all."""
    grouped = rows.order_by().values("user_id").annotate(total=Sum("amount"))
    return Coalesce(Subquery(grouped.values("total")), 0)


def held_by(user_id: UUID | OuterRef) -> Coalesce:
    """Expression: credits held for the user's live jobs."""
    return _total(CreditHold.objects.filter(user_id=user_id, status=HoldStatus.HELD))


def held_credits(user_id: UUID) -> int:
    """Credits held for the user's live jobs."""
    held = CreditHold.objects.filter(user_id=user_id, status=HoldStatus.HELD)
    total: int = held.aggregate(total=Coalesce(Sum("amount"), 0))["total"]
    return total


def get_balance_summary(user_id: UUID) -> BalanceSummary:
    """The figures of one instant; all zero for a user without a balance row."""
    this_month = CreditTransaction.objects.filter(
        user_id=OuterRef("user_id"), created_at__gte=_MonthStart()
    )
    row = (
        CreditBalance.objects.filter(user_id=user_id)
        .annotate(
            held=held_by(OuterRef("user_id")),
            granted=_total(this_month.filter(type__in=GRANTS)),
            used=_total(this_month.filter(type__in=HoldKind.values)),
        )
        .first()
    )
    if row is None:
        return BalanceSummary()
    return BalanceSummary(
        balance=row.balance,
        held=row.held,
        available=row.balance - row.held,
        granted_this_month=row.granted,
        used_this_month=-row.used,
        last_granted_at=row.last_granted_at,
    )


def get_due_free_month(user_id: UUID) -> str | None:
    """The idempotency key of the free month, while the user has a claim to it.

    None for other tiers and closed accounts, and once the ledger has the grant.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE_FREE_MONTH, [user_id])
        row = cursor.fetchone()
    return row[0] if row else None


def transactions_for(user_id: UUID) -> models.QuerySet[CreditTransaction]:
    """The user's postings, newest first; `sequence` is the key to page by."""
    return CreditTransaction.objects.filter(user_id=user_id).order_by("-sequence")


def with_public_notes(
    postings: models.QuerySet[CreditTransaction],
) -> models.QuerySet[Any]:
    """The postings with `public_note`: what staff said to the user, or None.

    Asks for that column alone: a user actor may read no other of the words.
    """
    return postings.annotate(public_note=F("note__public_note"))


def holds_for_jobs(job_ids: Iterable[UUID]) -> dict[UUID, CreditHold]:
    """The hold of each of the jobs that has one."""
    holds = CreditHold.objects.filter(job_id__in=list(job_ids))
    return {hold.job_id: hold for hold in holds}
