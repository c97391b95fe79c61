"""What staff said of an adjustment, and what staff read of it.

The ledger holds ids and never personal words: a posting is never changed. So the words
stand in a table of their own, from which they can be erased, with the id of whoever
adjusted the credits; the name is looked up wherever staff read the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext

from accounts.models import User
from billing.models import AdjustmentNote, CreditTransaction


@dataclass(frozen=True, kw_only=True)
class Reading:
    """`by` is None for a posting that no member of staff made.

    `words` are for staff alone, `public_note` was shown to the user.
    """

    by: str | None
    words: str
    public_note: str


def with_readings(postings: Iterable[CreditTransaction]) -> list[CreditTransaction]:
    """One page of the ledger, ready for `reading_of`: two queries for all of it."""
    page = list(postings)
    notes = AdjustmentNote.objects.in_bulk([posting.id for posting in page])
    names = _names({note.staff_id for note in notes.values() if note.staff_id})
    for posting in page:
        note = notes.get(posting.id)
        vars(posting)["reading"] = _of_note(note, names) if note else _of_house(posting)
    return page


def reading_of(posting: CreditTransaction) -> Reading:
    """Who adjusted the credits, and why."""
    if "reading" not in vars(posting):
        with_readings([posting])
    reading: Reading = vars(posting)["reading"]
    return reading


def _of_note(note: AdjustmentNote, names: dict[UUID, str]) -> Reading:
    by = names.get(note.staff_id, str(note.staff_id)) if note.staff_id else None
    return Reading(
        by=by, words=note.internal_reason, public_note=note.public_note or ""
    )


def _of_house(posting: CreditTransaction) -> Reading:
    """The house's own words: "free month"."""
    text = posting.description or ""
    return Reading(by=None, words=gettext(text) if text else "", public_note="")


def _names(ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    staff = User.objects.filter(id__in=ids).only("email", "display_name")
    return {
        one.id: f"{one.display_name} ({one.email})" if one.display_name else one.email
        for one in staff
    }
