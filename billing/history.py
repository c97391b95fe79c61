"""A user's postings as a person reads them, with the picture that each was for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Left
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import CreditTransaction, TransactionType
from billing.selectors import transactions_for, with_public_notes

LONGEST_PROMPT = 160
MINUS = "\N{MINUS SIGN}"
KINDS: dict[str, Promise] = {
    TransactionType.SUBSCRIPTION_GRANT: _("Monthly credits"),
    TransactionType.SUBSCRIPTION_UPGRADE: _("Upgrade of the plan"),
    TransactionType.ADMIN_ADJUSTMENT: _("Adjusted by our staff"),
    TransactionType.GENERATION_USAGE: _("Picture"),
    TransactionType.API_USAGE: _("Picture, by the API"),
}
# A job that was charged for and has no picture, by how it ended.
WITHOUT_PICTURE: dict[str, Promise] = {
    "completed": _("Picture deleted since"),
    "cancelled": _("Stopped half-way"),
}


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One posting. `picture` is None where there is none, or none any more.

    `note` is what staff said to the user.
    """

    sequence: int
    created_at: datetime
    kind: Promise
    prompt: str
    note: str
    picture: UUID | None
    amount: int
    change: str
    balance: str


def history_rows(
    user_id: UUID, *, before: int | None, count: int
) -> tuple[list[HistoryRow], int | None]:
    """The newest `count` postings below `before`, and where older ones go on."""
    postings = with_public_notes(_with_pictures(transactions_for(user_id)))
    if before is not None:
        postings = postings.filter(sequence__lt=before)
    found = list(postings[: count + 1])
    older = found[count - 1].sequence if len(found) > count else None
    return [_row(posting) for posting in found[:count]], older


def grouped(number: int) -> str:
    """A whole number as people of the page's language write it."""
    return number_format(number, use_l10n=True, force_grouping=True)


def _with_pictures(postings: QuerySet[CreditTransaction]) -> QuerySet[Any]:
    is_own = When(job__image__user_id=F("user_id"), then=F("job__image__id"))
    return postings.annotate(
        prompt=Left("job__prompt", LONGEST_PROMPT),
        ending=F("job__status"),
        picture=Case(is_own),
    )


def _row(posting: Any) -> HistoryRow:
    kind = KINDS[posting.type]
    if not posting.picture:
        kind = WITHOUT_PICTURE.get(posting.ending, kind)
    sign = "+" if posting.amount > 0 else MINUS
    return HistoryRow(
        sequence=posting.sequence,
        created_at=posting.created_at,
        kind=kind,
        prompt=posting.prompt or "",
        note=posting.public_note or "",
        picture=posting.picture,
        amount=posting.amount,
        change=sign + grouped(abs(posting.amount)),
        balance=grouped(posting.balance_after),
    )
