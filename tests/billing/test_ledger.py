from __future__ import annotations

import pytest
from django.db import ProgrammingError
from django.utils import translation

from accounts.models import User
from billing.models import (
    AdjustmentNote,
    CreditBalance,
    CreditTransaction,
    TransactionType,
)
from billing.plans import grant_amount
from billing.selectors import get_balance_summary, transactions_for
from billing.services.grants import OwnAccount, adjust_credits, read_balance
from billing.services.holds import place_hold
from billing.services.ledger import (
    BalanceTooLow,
    PostingConflict,
    lock_balance,
    post,
)
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.errors import InvalidRequest
from tests.billing.factories import grant, make_job, make_owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_owner("alice", tier="pro")


@pytest.fixture
def dana():
    return make_owner("dana", is_staff=True)


def balance_of(user) -> int:
    with acting_as(user_actor(user.id)):
        return get_balance_summary(user.id).balance


def test_a_posting_moves_the_balance_and_continues_the_ledger(alice):
    first, second = grant(alice.id, 100, "one"), grant(alice.id, 50, "two")
    assert (first.sequence, first.balance_after) == (1, 100)
    assert (second.sequence, second.balance_after) == (2, 150)
    with acting_as(SERVICE):
        row = CreditBalance.objects.get(user_id=alice.id)
    assert row.balance == 150
    assert row.last_granted_at is not None


def test_an_event_told_twice_is_posted_once(alice):
    first = grant(alice.id, 100, "invoice")
    assert grant(alice.id, 100, "invoice").pk == first.pk
    assert balance_of(alice) == 100


def test_a_posting_told_twice_is_answered_after_its_credits_are_spent(alice, dana):
    grant(alice.id, 100, "invoice")
    take = {"amount": -100, "reason": "moved", "staff_id": dana.id}
    with acting_as(SERVICE):
        first = adjust_credits(user_id=alice.id, idempotency_key="t", **take)
        assert adjust_credits(user_id=alice.id, idempotency_key="t", **take) == first
    assert balance_of(alice) == 0


def test_the_key_of_another_content_is_refused(alice):
    grant(alice.id, 100, "invoice")
    with pytest.raises(PostingConflict):
        grant(alice.id, 101, "invoice")
    with pytest.raises(PostingConflict):
        grant(make_owner("bob", tier="pro").id, 100, "invoice")
    assert balance_of(alice) == 100


def test_the_key_of_anothers_posting_is_refused(alice):
    grant(alice.id, 100, "invoice")
    bob = make_owner("bob", tier="pro")
    with pytest.raises(PostingConflict), acting_as(SERVICE):
        post(
            lock_balance(bob.id),
            type=TransactionType.SUBSCRIPTION_GRANT,
            amount=100,
            idempotency_key="invoice",
        )
    assert balance_of(bob) == 0


def test_no_posting_takes_more_than_there_is(alice):
    grant(alice.id, 100, "invoice")
    with pytest.raises(BalanceTooLow), acting_as(SERVICE):
        post(
            lock_balance(alice.id),
            type=TransactionType.ADMIN_ADJUSTMENT,
            amount=-101,
            idempotency_key="too much",
        )
    assert balance_of(alice) == 100


def test_the_free_month_comes_once(alice):
    bob = make_owner("bob")
    with acting_as(user_actor(bob.id)):
        assert read_balance(user_id=bob.id).balance == 300
        assert read_balance(user_id=bob.id).granted_this_month == 300
        [posting] = CreditTransaction.objects.all()
    month = posting.created_at.strftime("%Y-%m")
    assert posting.idempotency_key == f"free:{bob.id}:{month}"
    assert balance_of(alice) == 0


def test_a_new_month_is_granted_up_to_two_months_credits():
    bob = make_owner("bob")
    grant(bob.id, 150, "gift")
    with acting_as(user_actor(bob.id)):
        assert read_balance(user_id=bob.id).balance == 450
        CreditTransaction.objects.get(type="subscription_grant", amount=300)

    carol = make_owner("carol", tier="pro")
    grant(carol.id, 450, "paid")
    with acting_as(SERVICE):
        User.objects.filter(pk=carol.id).update(tier="free")
        # 600 is the cap: of this month's 300 only 150 fit.
        assert read_balance(user_id=carol.id).balance == 600


def test_a_month_without_room_is_posted_as_zero_and_does_not_come_later(dana):
    carol = make_owner("carol", tier="pro")
    grant(carol.id, 5000, "paid")
    with acting_as(SERVICE):
        User.objects.filter(pk=carol.id).update(tier="free")
        assert read_balance(user_id=carol.id).balance == 5000
        adjust_credits(
            user_id=carol.id, amount=-5000, reason="refund", staff_id=dana.id
        )
        assert read_balance(user_id=carol.id).balance == 0
        amounts = [each.amount for each in transactions_for(carol.id)]
    assert amounts == [-5000, 0, 5000]


def test_only_free_and_open_accounts_get_the_free_month(alice):
    closed = make_owner("closed", is_active=False)
    with acting_as(SERVICE):
        assert read_balance(user_id=alice.id).balance == 0
        assert read_balance(user_id=closed.id).balance == 0


@pytest.mark.parametrize(
    ("quota", "balance", "granted"),
    [(300, 0, 300), (300, 300, 300), (300, 301, 299), (300, 600, 0), (300, 900, 0)],
)
def test_a_grant_stops_at_the_cap_and_is_never_negative(quota, balance, granted):
    assert grant_amount(quota=quota, balance=balance) == granted


def test_an_adjustment_keeps_who_and_why_beside_the_ledger(alice, dana):
    with acting_as(SERVICE):
        posting = adjust_credits(
            user_id=alice.id,
            amount=40,
            reason=" goodwill ",
            public_note=" sorry! ",
            staff_id=dana.id,
        )
        note = posting.note
    assert (posting.type, posting.amount) == ("admin_adjustment", 40)
    assert posting.description is None
    assert (note.internal_reason, note.public_note) == ("goodwill", "sorry!")
    assert note.staff_id == dana.id


def test_the_words_of_an_adjustment_can_be_erased(alice, dana):
    with acting_as(SERVICE):
        posting = adjust_credits(
            user_id=alice.id, amount=40, reason="goodwill", staff_id=dana.id
        )
        assert AdjustmentNote.objects.filter(transaction=posting).delete()[0] == 1
    assert balance_of(alice) == 40


@pytest.mark.parametrize("other", [{"reason": "else"}, {"public_note": "else"}])
def test_an_adjustment_told_again_in_other_words_is_refused(alice, dana, other):
    told = {"user_id": alice.id, "amount": 40, "reason": "x", "staff_id": dana.id}
    with acting_as(SERVICE):
        adjust_credits(idempotency_key="t", **told)
    with pytest.raises(PostingConflict), acting_as(SERVICE):
        adjust_credits(idempotency_key="t", **told | other)


@pytest.mark.parametrize("amount", [40, -40])
def test_nobody_adjusts_their_own_credits(dana, amount):
    with pytest.raises(OwnAccount) as refused, acting_as(SERVICE):
        adjust_credits(user_id=dana.id, amount=amount, reason="x", staff_id=dana.id)
    assert refused.value.as_dict()["error"]["code"] == "own_account"
    with translation.override("ko"):
        assert str(refused.value.words).startswith("본인 계정의 크레딧은")


def test_a_user_reads_the_note_to_them_and_no_other_word(alice, dana):
    bob = make_owner("bob", tier="pro")
    with acting_as(SERVICE):
        for user in (alice, bob):
            adjust_credits(
                user_id=user.id,
                amount=40,
                reason="a secret",
                public_note=f"for {user.email}",
                staff_id=dana.id,
            )
    with acting_as(user_actor(alice.id)):
        notes = AdjustmentNote.objects.values_list("public_note", flat=True)
        assert list(notes) == ["for alice@example.com"]
    for column in ("internal_reason", "staff_id"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            acting_as(user_actor(alice.id)),
        ):
            AdjustmentNote.objects.values_list(column).first()


def test_adjustments_without_a_key_are_each_their_own(alice, dana):
    for _ in range(2):
        with acting_as(SERVICE):
            adjust_credits(user_id=alice.id, amount=40, reason="x", staff_id=dana.id)
    assert balance_of(alice) == 80


def test_an_adjustment_leaves_what_live_jobs_may_cost(alice, dana):
    grant(alice.id, 100, "invoice")
    job = make_job(alice.id, quoted_credits=60)
    with acting_as(user_actor(alice.id)):
        place_hold(user_id=alice.id, job_id=job.id, amount=60)
    with pytest.raises(BalanceTooLow), acting_as(SERVICE):
        adjust_credits(user_id=alice.id, amount=-41, reason="x", staff_id=dana.id)
    with acting_as(SERVICE):
        adjust_credits(user_id=alice.id, amount=-40, reason="x", staff_id=dana.id)
    assert balance_of(alice) == 60


@pytest.mark.parametrize(
    ("amount", "reason", "field"), [(0, "x", "amount"), (5, "  ", "reason")]
)
def test_an_adjustment_needs_an_amount_and_a_reason(alice, dana, amount, reason, field):
    with pytest.raises(InvalidRequest) as refused, acting_as(SERVICE):
        adjust_credits(user_id=alice.id, amount=amount, reason=reason, staff_id=dana.id)
    assert list(refused.value.fields) == [field]


def test_the_summary_tells_grants_from_usage(alice, dana):
    grant(alice.id, 100, "invoice")
    with acting_as(SERVICE):
        adjust_credits(user_id=alice.id, amount=7, reason="x", staff_id=dana.id)
        post(
            lock_balance(alice.id),
            type=TransactionType.GENERATION_USAGE,
            amount=-30,
            idempotency_key="use",
        )
        summary = get_balance_summary(alice.id)
    assert (summary.granted_this_month, summary.used_this_month) == (100, 30)
    assert (summary.balance, summary.held, summary.available) == (77, 0, 77)
