"""Any sequence of calls against a model of a few lines of arithmetic."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from billing.models import CreditHold, CreditTransaction
from billing.selectors import get_balance_summary
from billing.services.grants import adjust_credits
from billing.services.holds import (
    HoldConflict,
    InsufficientCredits,
    place_holds,
    release_hold,
    settle_cancelled,
    settle_hold,
)
from billing.services.ledger import BalanceTooLow, PostingConflict
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.billing.factories import grant, make_job, make_owner

AMOUNTS = st.integers(1, 200)
MILLISECONDS = st.integers(0, 250_000)


def outcome(allowed: bool, refusal: type[Exception]) -> Any:
    """Expects the block to pass where the model allows it, else to be refused."""
    return nullcontext() if allowed else pytest.raises(refusal)


class Credits(RuleBasedStateMachine):
    """One free user. The model: a balance, and for each job its hold and charge."""

    jobs = Bundle("jobs")
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.user = make_owner(uuid4().hex)
        self.balance = 0
        self.opened = False
        self.live: dict[UUID, int] = {}
        self.charges: dict[UUID, int] = {}
        self.quotes: dict[UUID, int] = {}
        self.booked: dict[str, int] = {}

    @property
    def held(self) -> int:
        return sum(self.live.values())

    def open(self) -> None:
        """The first need of the month brings the free credits."""
        if not self.opened:
            self.opened = True
            self.balance += max(0, min(300, 600 - self.balance))

    @rule(target=jobs, amounts=st.lists(AMOUNTS, min_size=1, max_size=3))
    def place(self, amounts):
        quotes = {
            make_job(self.user.id, quoted_credits=amount).id: amount
            for amount in amounts
        }
        available = self.after_opening() - self.held
        affordable = sum(amounts) <= available
        user = user_actor(self.user.id)
        with outcome(affordable, InsufficientCredits) as refused, acting_as(user):
            place_holds(user_id=self.user.id, amounts=quotes)
        if refused:
            assert refused.value.data["needed"] == sum(amounts)
            assert refused.value.data["available"] == available
            return multiple()
        self.open()
        self.live |= quotes
        self.quotes |= quotes
        return multiple(*quotes)

    def after_opening(self) -> int:
        """The balance that a call finds: a refused one rolls the free month back."""
        grant_due = 0 if self.opened else max(0, min(300, 600 - self.balance))
        return self.balance + grant_due

    @rule(job=jobs, other=st.booleans())
    def place_again(self, job, other):
        amounts = {job: self.quotes[job] + other}
        with outcome(not other, HoldConflict), acting_as(user_actor(self.user.id)):
            [hold] = place_holds(user_id=self.user.id, amounts=amounts)
            assert hold.job_id == job

    def resolve(self, job, charge, answer):
        if job in self.live:
            self.charges[job] = min(charge, self.live.pop(job))
            self.balance -= self.charges[job]
        assert answer == self.charges[job]

    @rule(job=jobs, milliseconds=MILLISECONDS)
    def settle(self, job, milliseconds):
        with acting_as(SERVICE):
            answer = settle_hold(job_id=job, milliseconds=milliseconds)
        self.resolve(job, max(1, (milliseconds + 999) // 1000), answer)

    @rule(job=jobs, milliseconds=MILLISECONDS)
    def cancel(self, job, milliseconds):
        with acting_as(SERVICE):
            answer = settle_cancelled(job_id=job, milliseconds=milliseconds)
        self.resolve(job, (milliseconds + 999) // 1000, answer)

    @rule(job=jobs)
    def release(self, job):
        with acting_as(SERVICE):
            answer = release_hold(job_id=job)
        self.resolve(job, 0, answer)

    @rule(target=keys, amount=AMOUNTS)
    def receive(self, amount):
        key = f"invoice:{uuid4()}"
        grant(self.user.id, amount, key)
        self.open()
        self.balance += amount
        self.booked[key] = amount
        return key

    @rule(key=keys, more=st.integers(0, 1))
    def receive_again(self, key, more):
        with outcome(not more, PostingConflict):
            posting = grant(self.user.id, self.booked[key] + more, key)
            assert posting.amount == self.booked[key]

    @rule(amount=st.integers(-400, 400).filter(bool))
    def adjust(self, amount):
        allowed = amount > 0 or self.after_opening() + amount >= self.held
        with outcome(allowed, BalanceTooLow), acting_as(SERVICE):
            adjust_credits(
                user_id=self.user.id,
                amount=amount,
                reason="test",
                staff_id=uuid4(),
            )
        if allowed:
            self.open()
            self.balance += amount

    @invariant()
    def the_database_agrees(self):
        with acting_as(user_actor(self.user.id)):
            with connection.cursor() as cursor:
                # What PostgreSQL checks at commit, asked for now.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            summary = get_balance_summary(self.user.id)
            ledger = CreditTransaction.objects.filter(user_id=self.user.id)
            postings = list(ledger.order_by("sequence"))
            holds = CreditHold.objects.filter(user_id=self.user.id)
            charges = {hold.job_id: hold.settled_amount or 0 for hold in holds}
        assert summary.balance == self.balance
        assert summary.held == self.held
        assert summary.available == self.balance - self.held >= 0
        assert sum(posting.amount for posting in postings) == self.balance
        assert [each.sequence for each in postings] == [*range(1, len(postings) + 1)]
        assert charges == dict.fromkeys(self.live, 0) | self.charges
        assert all(charge <= self.quotes[job] for job, charge in charges.items())


@pytest.mark.django_db
def test_credits_are_conserved_whatever_happens():
    run_state_machine_as_test(
        Credits,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            # A failure is shrunk to the shortest calls; explaining it takes minutes.
            phases=set(Phase) - {Phase.explain},
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
