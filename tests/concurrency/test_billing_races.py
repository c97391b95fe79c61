"""Threads that want the same credits. Each race is shown without its lock first."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection

from accounts.models import User
from billing.models import CreditTransaction
from billing.selectors import get_balance_summary
from billing.services import holds, ledger
from billing.services.audit import audit_ledger
from billing.services.grants import adjust_credits, read_balance
from billing.services.holds import (
    InsufficientCredits,
    place_hold,
    release_hold,
    settle_cancelled,
    settle_hold,
)
from billing.services.ledger import BalanceTooLow, PostingConflict
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.billing.factories import grant, make_job, make_owner
from tests.concurrency.racing import THREADS, act_together, run_together

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    """Free, with this month's 300 credits in the ledger."""
    user = make_owner("alice")
    with acting_as(user_actor(user.id)):
        read_balance(user_id=user.id)
    return user


def submit(user: User, amount: int, status: str = "queued") -> UUID:
    """What submitting does in one transaction; returns the job's id."""
    with acting_as(user_actor(user.id)):
        job = make_job(user.id, status, quoted_credits=amount)
        place_hold(user_id=user.id, job_id=job.id, amount=amount)
    return job.id


def end(job_id: UUID, status: str, resolve: Callable[..., int]) -> int:
    """What ending a running job does in one transaction; returns the charge."""
    with acting_as(SERVICE):
        charge = resolve(job_id=job_id)
        running = GenerationJob.objects.filter(pk=job_id, status="in_progress")
        running.update(status=status, lease_expires_at=None, credits_consumed=charge)
    return charge


def submit_100_each(user: User, meet_after: Any) -> list[Any]:
    meet_after(holds, "_place", THREADS)
    return act_together(user_actor(user.id), [partial(submit, user, 100)] * THREADS)


def held(user: User) -> int:
    with acting_as(user_actor(user.id)):
        return get_balance_summary(user.id).held


def test_control_without_the_lock_holds_overspend(alice, meet_after, without_locks):
    placed = submit_100_each(alice, meet_after)
    assert not any(isinstance(each, Exception) for each in placed)
    assert held(alice) == 800
    assert [fault.check for fault in audit_ledger()] == ["held_above_balance"]


def test_holds_of_many_threads_never_overspend(alice, meet_after):
    placed = submit_100_each(alice, meet_after)
    refused = [each for each in placed if isinstance(each, InsufficientCredits)]
    assert len(refused) == THREADS - 3
    assert all(each.data["available"] == 0 for each in refused)
    assert held(alice) == 300
    assert audit_ledger() == []


def settle_twice(user: User, meet_after: Any) -> list[Any]:
    job_id = submit(user, 50, "in_progress")
    meet_after(holds, "_lock_hold", 2)
    return act_together(
        SERVICE,
        [
            partial(end, job_id, "completed", partial(settle_hold, milliseconds=each))
            for each in (7000, 9000)
        ],
    )


def test_control_without_the_lock_both_settlements_try_to_charge(
    alice, meet_after, without_locks
):
    # The ledger's unique keys are the last line: the second is an error, not a charge.
    outcomes = settle_twice(alice, meet_after)
    errors = [each for each in outcomes if not isinstance(each, int)]
    assert len(errors) == 1
    assert isinstance(errors[0], PostingConflict | IntegrityError)


def test_two_settlements_of_one_hold_charge_once(alice, meet_after):
    first, second = settle_twice(alice, meet_after)
    assert first == second
    assert first in (7, 9)
    with acting_as(SERVICE):
        usage = CreditTransaction.objects.filter(type="generation_usage")
        assert [each.amount for each in usage] == [-first]
    assert audit_ledger() == []


def settle_two_jobs(user: User, meet_after: Any) -> list[Any]:
    jobs = [submit(user, 50, "in_progress") for _ in range(2)]
    meet_after(holds, "_lock_hold", 2)
    seven = partial(settle_hold, milliseconds=7000)
    return act_together(
        SERVICE, [partial(end, job, "completed", seven) for job in jobs]
    )


def test_control_without_the_lock_settlements_of_two_jobs_collide(
    alice, meet_after, without_locks
):
    errors = [each for each in settle_two_jobs(alice, meet_after) if each != 7]
    assert [type(each) for each in errors] == [IntegrityError]


def test_settlements_of_two_jobs_follow_each_other(alice, meet_after):
    assert settle_two_jobs(alice, meet_after) == [7, 7]
    assert audit_ledger() == []


def test_of_settling_and_releasing_one_counts(alice, meet_after):
    job_id = submit(alice, 50, "in_progress")
    meet_after(holds, "_lock_hold", 2)
    stop = partial(settle_cancelled, milliseconds=7000)
    outcomes = act_together(
        SERVICE,
        [partial(end, job_id, "cancelled", each) for each in (stop, release_hold)],
    )
    assert outcomes in ([0, 0], [7, 7])
    assert audit_ledger() == []


def read_together(user: User) -> list[Any]:
    return act_together(
        user_actor(user.id), [partial(read_balance, user_id=user.id)] * THREADS
    )


def test_control_without_one_key_for_the_month_everybody_is_granted(monkeypatch):
    monkeypatch.setattr(ledger, "get_due_free_month", lambda user_id: f"free:{uuid4()}")
    bob = make_owner("bob")
    read_together(bob)
    with acting_as(SERVICE):
        assert CreditTransaction.objects.filter(user_id=bob.id).count() > 1


@pytest.mark.parametrize("row_is_there", [False, True])
def test_the_first_need_of_many_threads_grants_once(row_is_there):
    bob = make_owner("bob", tier="pro")
    if row_is_there:
        grant(bob.id, 1, "gift")
    with acting_as(SERVICE):
        User.objects.filter(pk=bob.id).update(tier="free")
    balances = {each.balance for each in read_together(bob)}
    assert balances == {301 if row_is_there else 300}
    assert audit_ledger() == []


class Customer:
    """Submits and ends jobs of one user at random, as web and workers do."""

    def __init__(self, user: User, seed: int) -> None:
        self.user = user
        self.choice = random.Random(seed)
        self.charged = 0

    def __call__(self) -> None:
        for _ in range(6):
            with suppress(InsufficientCredits):
                amount = self.choice.randrange(1, 120)
                self.end(submit(self.user, amount, "in_progress"))
            if self.choice.random() < 0.3:
                self.adjust(self.choice.randrange(-20, 20) or 1)

    def end(self, job_id: UUID) -> None:
        milliseconds = self.choice.randrange(0, 90_000)
        ends = {
            "completed": partial(settle_hold, milliseconds=milliseconds),
            "cancelled": partial(settle_cancelled, milliseconds=milliseconds),
            "failed": release_hold,
        }
        status = self.choice.choice(list(ends))
        self.charged += end(job_id, status, ends[status])

    def adjust(self, amount: int) -> None:
        with suppress(BalanceTooLow), acting_as(SERVICE):
            adjust_credits(
                user_id=self.user.id,
                amount=amount,
                reason="test",
                staff_id=uuid4(),
            )


def test_credits_are_conserved_under_load_and_every_audit_is_clean(alice):
    customers = [Customer(alice, seed) for seed in range(THREADS)]
    audits: list[Any] = []
    over = threading.Event()

    def audit() -> None:
        while not over.is_set():
            audits.append(audit_ledger())
        connection.close()

    auditor = threading.Thread(target=audit)
    auditor.start()
    try:
        outcomes = run_together(customers)
    finally:
        over.set()
        auditor.join(timeout=60)
    assert outcomes == [None] * THREADS
    assert audits
    assert not any(audits)
    assert audit_ledger() == []
    with acting_as(SERVICE):
        rows = CreditTransaction.objects.filter(user_id=alice.id)
        usage = sum(row.amount for row in rows if row.type == "generation_usage")
    assert -usage == sum(customer.charged for customer in customers)
    assert held(alice) == 0
