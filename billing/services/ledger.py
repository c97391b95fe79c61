"""The ledger: the only place that changes `credit_balances.balance`.

Lock order everywhere in billing: the user's balance row first, then that user's holds.
Whoever holds the balance row is alone with the user's credits: a statement sent after
the lock sees all that was committed before, and nothing moves until the commit.

Services run in the caller's transaction and without savepoints: an error that a caller
catches has doomed that transaction, so that nothing is ever half booked.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import connection
from django.db.transaction import TransactionManagementError
from django.utils.translation import gettext_lazy as _

from accounts.tiers import Tier, limits_for
from billing.models import CreditBalance, CreditTransaction, TransactionType
from billing.plans import grant_amount
from billing.selectors import GRANTS, get_due_free_month, held_credits
from billing.services.announcements import announce_balance
from pingvas.core.errors import PingvasError


class PostingConflict(PingvasError):
    """The idempotency key belongs to a posting with other content."""

    code: ClassVar[str] = "posting_conflict"
    status: ClassVar[int] = 409
    message = _("This was already booked with other content.")


class BalanceTooLow(PingvasError):
    """The posting would leave less than its floor."""

    code: ClassVar[str] = "balance_too_low"
    status: ClassVar[int] = 409
    message = _("The balance does not cover this change.")


# Written out, as all that is sent with every submission or every ending: making such a
# statement from a queryset takes longer than running it (`settle` in bench/RESULTS.md).
_LOCK = "SELECT id, user_id, balance FROM credit_balances WHERE user_id = %s FOR UPDATE"


def lock_balance(user_id: UUID) -> CreditBalance:
    """The user's balance row, locked until the transaction ends.

    Makes the row on first need and grants the free month that is due. Raises
    TransactionManagementError outside a transaction.
    """
    balance = _lock_row(user_id) or _make_row(user_id)
    due = get_due_free_month(user_id)
    if due:
        _grant_free_month(balance, due)
    return balance


def _lock_row(user_id: UUID) -> CreditBalance | None:
    if not connection.in_atomic_block:
        raise TransactionManagementError("a balance is locked inside a transaction")
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [user_id])
        row = cursor.fetchone()
    return CreditBalance(id=row[0], user_id=row[1], balance=row[2]) if row else None


def _make_row(user_id: UUID) -> CreditBalance:
    # Of several that make it at once, all but one wait here for the first to commit.
    CreditBalance.objects.bulk_create(
        [CreditBalance(user_id=user_id)], ignore_conflicts=True
    )
    balance = _lock_row(user_id)
    if balance is None:
        raise CreditBalance.DoesNotExist
    return balance


def _grant_free_month(balance: CreditBalance, key: str) -> None:
    """Post the month's free credits; a grant that the cap makes zero is posted too."""
    quota = limits_for(Tier.FREE).monthly_credits or 0
    post(
        balance,
        type=TransactionType.SUBSCRIPTION_GRANT,
        amount=grant_amount(quota=quota, balance=balance.balance),
        idempotency_key=key,
        description="free month",
    )
    held = held_credits(balance.user_id)
    announce_balance(balance.user_id, balance=balance.balance, held=held)


# One flight for both halves of a posting. The conflict clause sees a key even where
# row security hides the posting that has it.
_POSTED = """
WITH posted AS (
    INSERT INTO credit_transactions (
        id, user_id, amount, type, job_id, subscription_id, description,
        balance_after, idempotency_key, sequence
    ) VALUES (
        %(id)s, %(user_id)s, %(amount)s, %(type)s, %(job_id)s, %(subscription_id)s,
        %(description)s, %(balance_after)s, %(idempotency_key)s,
        (SELECT coalesce(max(sequence), 0) + 1 FROM credit_transactions
         WHERE user_id = %(user_id)s)
    )
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING *
), moved AS (
    UPDATE credit_balances
    SET balance = posted.balance_after,
        last_granted_at =
            CASE WHEN %(granted)s THEN now() ELSE credit_balances.last_granted_at END
    FROM posted WHERE credit_balances.user_id = posted.user_id
)
"""
# The columns come in the model's order.
_POST = (
    _POSTED
    + """
SELECT id, user_id, amount, type, job_id, subscription_id, description,
    balance_after, idempotency_key, sequence, created_at
FROM posted
"""
)
# With the posting goes the hold that it settles. Answers what is held besides.
_SETTLED = """, settled AS (
    UPDATE credit_holds AS hold SET
        status = 'settled', settled_amount = -posted.amount, resolved_at = now()
    FROM posted WHERE hold.id = %(hold_id)s
)
SELECT (
    SELECT coalesce(sum(amount), 0) FROM credit_holds
    WHERE user_id = posted.user_id AND status = 'held' AND id <> %(hold_id)s
)
FROM posted
"""
_SETTLE = _POSTED + _SETTLED


def post(
    balance: CreditBalance,
    *,
    type: TransactionType,
    amount: int,
    idempotency_key: str,
    job_id: UUID | None = None,
    subscription_id: UUID | None = None,
    description: str | None = None,
    floor: int = 0,
) -> CreditTransaction:
    """Book `amount` credits on a balance that `lock_balance` gave, and move it.

    Told again with the same key and content, it returns the first posting and changes
    nothing; with other content it raises PostingConflict. BalanceTooLow when less than
    `floor` credits would remain.
    """
    content = {
        "user_id": balance.user_id,
        "type": type.value,
        "amount": amount,
        "job_id": job_id,
        "subscription_id": subscription_id,
        "description": description,
    }
    balance_after = balance.balance + amount
    if amount < 0 and balance_after < floor:
        return _replay(idempotency_key, content, BalanceTooLow())
    posting = _insert(
        content
        | {
            "id": uuid4(),
            "balance_after": balance_after,
            "idempotency_key": idempotency_key,
            "granted": type in GRANTS,
        }
    )
    if posting is None:
        return _replay(idempotency_key, content, PostingConflict())
    balance.balance = balance_after
    return posting


def settle(
    balance: CreditBalance,
    *,
    hold_id: UUID,
    job_id: UUID,
    type: TransactionType,
    charge: int,
) -> int:
    """Charge a job and settle its locked hold; returns what else is held for the user.

    A live hold covers its charge and has no posting yet: BalanceTooLow or
    PostingConflict where that is not so.
    """
    balance_after = balance.balance - charge
    if balance_after < 0:
        raise BalanceTooLow
    values: dict[str, Any] = {
        "id": uuid4(),
        "user_id": balance.user_id,
        "amount": -charge,
        "type": type.value,
        "job_id": job_id,
        "subscription_id": None,
        "description": None,
        "balance_after": balance_after,
        "idempotency_key": f"settle:{job_id}",
        "granted": False,
        "hold_id": hold_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, values)
        row = cursor.fetchone()
    if row is None:
        raise PostingConflict
    balance.balance = balance_after
    return int(row[0])


def _insert(values: dict[str, Any]) -> CreditTransaction | None:
    """The new posting; None when its idempotency key is taken."""
    with connection.cursor() as cursor:
        cursor.execute(_POST, values)
        row = cursor.fetchone()
        names = [column.name for column in cursor.description]
    return CreditTransaction.from_db(connection.alias, names, row) if row else None


def _replay(
    key: str, content: dict[str, Any], otherwise: PingvasError
) -> CreditTransaction:
    """The posting that has the key already; raises `otherwise` when none is seen."""
    first = CreditTransaction.objects.filter(idempotency_key=key).first()
    if first is None:
        raise otherwise
    if any(getattr(first, name) != value for name, value in content.items()):
        raise PostingConflict
    return first
