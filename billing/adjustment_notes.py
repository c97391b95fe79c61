"""What a posting by staff says of itself, and what staff read of it.

The ledger holds ids and never personal words: a posting is never changed, and a name
would outlive the account that it belongs to. So the row keeps the id of whoever
adjusted the credits, beside their reason, and the name is looked up wherever staff
read the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext

from accounts.models import User
from billing.models import CreditTransaction, TransactionType

_NOTE = re.compile(r"staff ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}): (.*)", re.S)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """`by` is None for a posting that no member of staff made."""

    by: str | None
    words: str


def write_note(*, staff_id: UUID, reason: str) -> str:
    """The description of an adjustment: an id and a reason."""
    return f"staff {staff_id}: {reason}"


def with_readings(postings: Iterable[CreditTransaction]) -> list[CreditTransaction]:
    """One page of the ledger, ready for `reading_of`: one query for all its names."""
    page = list(postings)
    notes = [_parse(posting) for posting in page]
    names = _names({staff_id for staff_id, _words in notes if staff_id})
    for posting, (staff_id, words) in zip(page, notes, strict=True):
        by = names.get(staff_id, str(staff_id)) if staff_id else None
        vars(posting)["reading"] = Reading(by=by, words=words)
    return page


def reading_of(posting: CreditTransaction) -> Reading:
    """Who adjusted the credits, and why."""
    if "reading" not in vars(posting):
        with_readings([posting])
    reading: Reading = vars(posting)["reading"]
    return reading


def _parse(posting: CreditTransaction) -> tuple[UUID | None, str]:
    text = posting.description or ""
    found = _NOTE.fullmatch(text)
    if found is None or posting.type != TransactionType.ADMIN_ADJUSTMENT:
        # The house's own words: "free month".
        return None, gettext(text) if text else ""
    return UUID(found[1]), found[2]


def _names(ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    staff = User.objects.filter(id__in=ids).only("email", "display_name")
    return {
        one.id: f"{one.display_name} ({one.email})" if one.display_name else one.email
        for one in staff
    }
