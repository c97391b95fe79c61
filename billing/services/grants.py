"""Credits that come from elsewhere than a payment: staff, and what is due."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.adjustment_notes import write_note
from billing.models import CreditTransaction, TransactionType
from billing.selectors import (
    BalanceSummary,
    get_balance_summary,
    get_due_free_month,
    held_credits,
)
from billing.services.announcements import announce_balance
from billing.services.ledger import lock_balance, post
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.errors import InvalidRequest


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
    idempotency_key: str | None = None,
) -> CreditTransaction:
    """Add or take credits by hand; the ledger keeps the reason and whose id did it.

    BalanceTooLow when less than what is held for live jobs would remain: their quotes
    stay covered. InvalidRequest without an amount or a reason. The same key and content
    is booked once, other content raises PostingConflict; without a key, every call is
    an adjustment of its own.
    """
    reason = reason.strip()
    _check_adjustment(amount, reason)
    balance = lock_balance(user_id)
    held = held_credits(user_id)
    posting = post(
        balance,
        type=TransactionType.ADMIN_ADJUSTMENT,
        amount=amount,
        idempotency_key=f"adjust:{idempotency_key or uuid4()}",
        description=write_note(staff_id=staff_id, reason=reason),
        floor=held,
    )
    announce_balance(user_id, balance=balance.balance, held=held)
    return posting


def _check_adjustment(amount: int, reason: str) -> None:
    wrong = {}
    if not amount:
        wrong["amount"] = [str(_("Give a number of credits other than zero."))]
    if not reason:
        wrong["reason"] = [str(_("Say why."))]
    if wrong:
        raise InvalidRequest(fields=wrong)
