"""Holds: what a job may cost at most, set aside while it is under way.

Place a hold in the transaction that inserts the job; settle or release it in the one
that ends the job, as the service. Each call may be repeated: a hold that is resolved
stays as it is, and the call answers what the first one did.

Lock order: balance, then hold. A caller that locks its job does so before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from billing.models import (
    CreditBalance,
    CreditHold,
    HoldKind,
    HoldStatus,
    TransactionType,
)
from billing.selectors import holds_for_jobs
from billing.services.announcements import announce_balance
from billing.services.ledger import lock_balance, settle
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.errors import PingvasError

MILLISECONDS_PER_CREDIT = 1000


class InsufficientCredits(PingvasError):
    """Fewer credits are available than the jobs may cost; `data` has the figures."""

    code: ClassVar[str] = "insufficient_credits"
    status: ClassVar[int] = 402
    message = _("You do not have enough credits for this.")

    def __init__(self, *, needed: int, available: int) -> None:
        super().__init__(needed=needed, available=available, missing=needed - available)


class HoldConflict(PingvasError):
    """One of the jobs has a hold already, on other terms."""

    code: ClassVar[str] = "hold_conflict"
    status: ClassVar[int] = 409
    message = _("Credits are already reserved for this job, on other terms.")


class HoldNotFound(PingvasError):
    """No hold of this job is visible to the actor."""

    code: ClassVar[str] = "hold_not_found"
    status: ClassVar[int] = 404
    message = _("No credits are reserved for this job.")


def credits_for(milliseconds: int) -> int:
    """Whole credits for a time, every second begun counting; no floats, no surprises.

    ValueError for a negative time.
    """
    if milliseconds < 0:
        raise ValueError(f"a job cannot have run for {milliseconds} ms")
    return -(-milliseconds // MILLISECONDS_PER_CREDIT)


def place_hold(
    *, user_id: UUID, job_id: UUID, amount: int, kind: str = HoldKind.GENERATION_USAGE
) -> CreditHold:
    """Set `amount` credits aside for one job; see `place_holds`."""
    [hold] = place_holds(user_id=user_id, amounts={job_id: amount}, kind=kind)
    return hold


@acting_as(SERVICE, savepoint=False)
def place_holds(
    *,
    user_id: UUID,
    amounts: Mapping[UUID, int],
    kind: str = HoldKind.GENERATION_USAGE,
) -> list[CreditHold]:
    """Set credits aside for every job of `amounts` (credits by job id), or for none.

    Returns the holds in the order given. InsufficientCredits when the available credits
    do not cover them all, HoldConflict when a job has a hold on other terms.
    """
    _check_amounts(amounts)
    balance = lock_balance(user_id)
    holds = [
        CreditHold(user_id=user_id, job_id=job_id, amount=amount, kind=HoldKind(kind))
        for job_id, amount in amounts.items()
    ]
    held, known = _place(balance, holds)
    if known:
        return _placed_before(user_id, amounts, HoldKind(kind))
    needed, available = sum(amounts.values()), balance.balance - held
    if needed > available:
        raise InsufficientCredits(needed=needed, available=available)
    announce_balance(user_id, balance=balance.balance, held=held + needed)
    return holds


def _check_amounts(amounts: Mapping[UUID, int]) -> None:
    if not amounts or min(amounts.values()) < 1:
        raise ValueError("every job of a hold needs an amount of at least 1 credit")


# Inserts all or none, and answers either way what was held for the user before, and
# how many of the jobs had a hold already.
_PLACE = """
WITH before AS (
    SELECT coalesce(
            sum(amount) FILTER (WHERE user_id = %(user)s AND status = 'held'), 0
        ) AS held,
        count(*) FILTER (WHERE job_id = ANY(%(jobs)s)) AS known
    FROM credit_holds
    WHERE (user_id = %(user)s AND status = 'held') OR job_id = ANY(%(jobs)s)
), placed AS (
    INSERT INTO credit_holds (id, user_id, job_id, kind, amount, status, created_at)
    SELECT hold.id, %(user)s, hold.job_id, %(kind)s, hold.amount, 'held', now()
    FROM unnest(%(ids)s, %(jobs)s, %(amounts)s) AS hold(id, job_id, amount)
    CROSS JOIN before
    WHERE before.known = 0 AND before.held + %(needed)s <= %(balance)s
)
SELECT held, known FROM before
"""


def _place(balance: CreditBalance, holds: Sequence[CreditHold]) -> tuple[int, int]:
    """Insert `holds` if the locked balance covers them; held and known before."""
    values: dict[str, Any] = {
        "user": balance.user_id,
        "balance": balance.balance,
        "kind": holds[0].kind,
        "ids": [hold.id for hold in holds],
        "jobs": [hold.job_id for hold in holds],
        "amounts": [hold.amount for hold in holds],
        "needed": sum(hold.amount for hold in holds),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, values)
        held, known = cursor.fetchone()
    return int(held), int(known)


def _placed_before(
    user_id: UUID, amounts: Mapping[UUID, int], kind: HoldKind
) -> list[CreditHold]:
    holds = holds_for_jobs(amounts)
    for job_id, amount in amounts.items():
        hold = holds.get(job_id)
        terms = hold and (hold.user_id, hold.amount, hold.kind)
        if terms != (user_id, amount, kind):
            raise HoldConflict
    return [holds[job_id] for job_id in amounts]


def settle_hold(*, job_id: UUID, milliseconds: int) -> int:
    """Charge a completed job for the GPU time it is billed for; returns the credits.

    Every second begun counts, at least one, never more than was held. An external call
    (`api_usage`) costs its quoted price, however long it took. Raises HoldNotFound.
    """
    ran = max(1, credits_for(milliseconds))
    return _resolve(
        job_id, lambda hold: hold.amount if hold.kind == HoldKind.API_USAGE else ran
    )


def settle_cancelled(*, job_id: UUID, milliseconds: int) -> int:
    """Charge a cancelled job for the GPU time it had; returns the credits.

    A job that was stopped before its first step (0 ms) is released and costs nothing.
    Raises HoldNotFound.
    """
    ran = credits_for(milliseconds)
    return _resolve(job_id, lambda hold: ran)


def release_hold(*, job_id: UUID) -> int:
    """Give everything back: the job failed, was blocked or lost. Raises HoldNotFound.

    Returns the charge, which is 0 unless the job had been settled before.
    """
    return _resolve(job_id, lambda hold: 0)


# Written out like the ledger's: sent for every job that ends. The balance is locked
# first, then the hold, and both are read as they are behind the locks.
_LOCK_HOLD = """
SELECT balance.id, balance.user_id, balance.balance,
    hold.id, hold.kind, hold.amount, hold.status, hold.settled_amount
FROM credit_holds AS hold JOIN credit_balances AS balance USING (user_id)
WHERE hold.job_id = %s
FOR UPDATE OF balance, hold
"""
# Answers what is held for the user besides.
_RELEASE = """
UPDATE credit_holds AS hold SET status = 'released', resolved_at = now()
WHERE id = %s
RETURNING (
    SELECT coalesce(sum(amount), 0) FROM credit_holds
    WHERE user_id = hold.user_id AND status = 'held' AND id <> hold.id
)
"""


class _LockedHold(NamedTuple):
    id: UUID
    kind: str
    amount: int
    status: str
    settled_amount: int | None


@transaction.atomic(savepoint=False)
def _resolve(job_id: UUID, price: Callable[[_LockedHold], int]) -> int:
    balance, hold = _lock_hold(job_id)
    if hold.status != HoldStatus.HELD:
        return hold.settled_amount or 0
    charge = min(price(hold), hold.amount)
    if charge:
        left = settle(
            balance,
            hold_id=hold.id,
            job_id=job_id,
            type=TransactionType(hold.kind),
            charge=charge,
        )
    else:
        left = _release(hold.id)
    announce_balance(balance.user_id, balance=balance.balance, held=left)
    return charge


def _lock_hold(job_id: UUID) -> tuple[CreditBalance, _LockedHold]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_HOLD, [job_id])
        row = cursor.fetchone()
    if row is None:
        raise HoldNotFound
    balance = CreditBalance(id=row[0], user_id=row[1], balance=row[2])
    return balance, _LockedHold(*row[3:])


def _release(hold_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [hold_id])
        return int(cursor.fetchone()[0])
