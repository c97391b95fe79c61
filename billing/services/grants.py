"""Credits that come from elsewhere than a payment: staff, and what is due."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.models import AdjustmentNote, CreditTransaction, TransactionType
from billing.selectors import (
    BalanceSummary,
    get_balance_summary,
    get_due_free_month,
    held_credits,
)
from billing.services.announcements import announce_balance
from billing.services.ledger import PostingConflict, lock_balance, post
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.errors import InvalidRequest, NotAllowed


class OwnAccount(NotAllowed):
    """Whoever hands out credits is not who gets them, superusers included."""

    code: ClassVar[str] = "own_account"
    message = _("You cannot adjust the credits of your own account. Ask a colleague.")


@transaction.atomic(savepoint=False)
def read_balance(*, user_id: UUID) -> BalanceSummary:
    """The user's credits, after the free month that is due was granted."""
    # Locks in the one case that writes: reading must not queue behind settlements.
    if get_due_free_month(user_id):
        with acting_as(SERVICE, savepoint=False):
            lock_balance(user_id)
    return get_balance_summary(user_id)


@acting_as(SERVICE, savepoint=False)
def adjust_credits(
    *,
    user_id: UUID,
    amount: int,
    reason: str,
    staff_id: UUID,
    public_note: str = "",
    idempotency_key: str | None = None,
) -> CreditTransaction:
    """Add or take credits by hand; a note beside the ledger keeps why and who did it.

    `reason` is for staff alone, the user reads `public_note`. OwnAccount when staff
    adjust their own credits. BalanceTooLow when less than what is held for live jobs
    would remain: their quotes stay covered. InvalidRequest without an amount or a
    reason. The same key and content is booked once, other content raises
    PostingConflict; without a key, every call is an adjustment of its own.
    """
    if staff_id == user_id:
        raise OwnAccount
    reason = reason.strip()
    _check_adjustment(amount, reason)
    balance = lock_balance(user_id)
    held = held_credits(user_id)
    posting = post(
        balance,
        type=TransactionType.ADMIN_ADJUSTMENT,
        amount=amount,
        idempotency_key=f"adjust:{idempotency_key or uuid4()}",
        floor=held,
    )
    _note(
        posting,
        {
            "internal_reason": reason,
            "public_note": public_note.strip() or None,
            "staff_id": staff_id,
        },
    )
    announce_balance(user_id, balance=balance.balance, held=held)
    return posting


def _note(posting: CreditTransaction, content: dict[str, Any]) -> None:
    """Keep the words; PostingConflict when this posting was made with others."""
    note, is_new = AdjustmentNote.objects.get_or_create(
        transaction=posting, defaults=content
    )
    if not is_new and any(getattr(note, name) != content[name] for name in content):
        raise PostingConflict


def _check_adjustment(amount: int, reason: str) -> None:
    wrong = {}
    if not amount:
        wrong["amount"] = [str(_("Give a number of credits other than zero."))]
    if not reason:
        wrong["reason"] = [str(_("Say why."))]
    if wrong:
        raise InvalidRequest(fields=wrong)
