from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import ProgrammingError, connection, transaction

from billing.models import CreditHold, CreditTransaction
from billing.selectors import get_balance_summary
from billing.services.holds import (
    HoldConflict,
    HoldNotFound,
    InsufficientCredits,
    credits_for,
    place_hold,
    place_holds,
    release_hold,
    settle_cancelled,
    settle_hold,
)
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.billing.factories import make_job, make_owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    """Free, and so with 300 credits from the first need on."""
    return make_owner("alice")


def figures(user) -> tuple[int, int, int]:
    with acting_as(user_actor(user.id)):
        summary = get_balance_summary(user.id)
    return summary.balance, summary.held, summary.available


def hold(user, amount: int, **over):
    job = make_job(user.id, quoted_credits=amount)
    with acting_as(user_actor(user.id)):
        return place_hold(user_id=user.id, job_id=job.id, amount=amount, **over)


def postings(user) -> list[tuple[str, int, int]]:
    with acting_as(user_actor(user.id)):
        rows = CreditTransaction.objects.filter(user_id=user.id).order_by("sequence")
        return [(row.type, row.amount, row.balance_after) for row in rows]


def test_a_hold_leaves_the_balance_and_lowers_what_is_available(alice):
    hold(alice, 120)
    assert figures(alice) == (300, 120, 180)
    assert postings(alice) == [("subscription_grant", 300, 300)]


def test_a_completed_job_pays_every_second_begun_and_gives_back_the_rest(alice):
    job_id = hold(alice, 120).job_id
    with acting_as(SERVICE):
        assert settle_hold(job_id=job_id, milliseconds=7_001) == 8
    assert figures(alice) == (292, 0, 292)
    assert postings(alice)[1:] == [("generation_usage", -8, 292)]


@pytest.mark.parametrize(
    ("milliseconds", "charge"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (9_999_999, 5)]
)
def test_a_completed_job_pays_one_credit_at_least_and_its_hold_at_most(
    alice, milliseconds, charge
):
    job_id = hold(alice, 5).job_id
    with acting_as(SERVICE):
        assert settle_hold(job_id=job_id, milliseconds=milliseconds) == charge
    assert figures(alice) == (300 - charge, 0, 300 - charge)


def test_an_external_call_costs_what_was_quoted(alice):
    job_id = hold(alice, 150, kind="api_usage").job_id
    with acting_as(SERVICE):
        assert settle_hold(job_id=job_id, milliseconds=900) == 150
    assert postings(alice)[-1] == ("api_usage", -150, 150)


@pytest.mark.parametrize(
    ("milliseconds", "charge", "status"),
    [
        (0, 0, "released"),
        (1, 1, "settled"),
        (2500, 3, "settled"),
        (60_000, 5, "settled"),
    ],
)
def test_a_cancelled_job_pays_what_it_ran(alice, milliseconds, charge, status):
    placed = hold(alice, 5)
    with acting_as(SERVICE):
        assert (
            settle_cancelled(job_id=placed.job_id, milliseconds=milliseconds) == charge
        )
        placed.refresh_from_db()
    assert (placed.status, placed.settled_amount or 0) == (status, charge)
    assert len(postings(alice)) == (2 if charge else 1)


def test_a_failed_job_costs_nothing(alice):
    job_id = hold(alice, 120).job_id
    with acting_as(SERVICE):
        assert release_hold(job_id=job_id) == 0
    assert figures(alice) == (300, 0, 300)
    assert len(postings(alice)) == 1


def test_the_first_end_of_a_job_is_the_one_that_counts(alice):
    settled, released = hold(alice, 50).job_id, hold(alice, 50).job_id
    with acting_as(SERVICE):
        settle_hold(job_id=settled, milliseconds=3000)
        release_hold(job_id=released)
        before = list(CreditHold.objects.order_by("id").values())
        assert settle_hold(job_id=settled, milliseconds=9000) == 3
        assert settle_cancelled(job_id=settled, milliseconds=0) == 3
        assert release_hold(job_id=settled) == 3
        assert settle_hold(job_id=released, milliseconds=9000) == 0
        assert list(CreditHold.objects.order_by("id").values()) == before
    assert figures(alice) == (297, 0, 297)


def test_too_few_credits_are_answered_with_what_is_missing(alice):
    hold(alice, 290)
    with pytest.raises(InsufficientCredits) as refused:
        hold(alice, 25)
    assert refused.value.status == 402
    body = refused.value.as_dict()["error"]
    assert body["code"] == "insufficient_credits"
    assert (body["needed"], body["available"], body["missing"]) == (25, 10, 15)
    assert figures(alice) == (300, 290, 10)


def test_the_last_credit_can_be_held(alice):
    hold(alice, 300)
    assert figures(alice) == (300, 300, 0)


def test_a_batch_is_held_whole_or_not_at_all(alice):
    dear = [make_job(alice.id, quoted_credits=76).id for _ in range(4)]
    with pytest.raises(InsufficientCredits), acting_as(user_actor(alice.id)):
        place_holds(user_id=alice.id, amounts=dict.fromkeys(dear, 76))
    with acting_as(SERVICE):
        assert not CreditHold.objects.exists()
    jobs = [make_job(alice.id, quoted_credits=75).id for _ in range(4)]
    with acting_as(user_actor(alice.id)):
        holds = place_holds(user_id=alice.id, amounts=dict.fromkeys(jobs, 75))
    assert [each.job_id for each in holds] == jobs
    assert figures(alice) == (300, 300, 0)


def test_a_refusal_dooms_the_transaction_that_inserted_the_job(alice):
    with acting_as(user_actor(alice.id)), transaction.atomic():
        job = make_job(alice.id, quoted_credits=301)
        with pytest.raises(InsufficientCredits):
            place_hold(user_id=alice.id, job_id=job.id, amount=301)
        assert connection.needs_rollback


def test_placing_again_on_the_same_terms_returns_the_first_holds(alice):
    amounts = {make_job(alice.id, quoted_credits=n).id: n for n in (10, 20)}
    with acting_as(user_actor(alice.id)):
        first = place_holds(user_id=alice.id, amounts=amounts)
        again = place_holds(user_id=alice.id, amounts=amounts)
    assert [each.pk for each in again] == [each.pk for each in first]
    assert figures(alice) == (300, 30, 270)


def test_placing_again_on_other_terms_is_refused(alice):
    placed = hold(alice, 10)
    other = {placed.job_id: 10, make_job(alice.id).id: 10}
    for amounts, kind in (
        ({placed.job_id: 11}, "generation_usage"),
        ({placed.job_id: 10}, "api_usage"),
        (other, "generation_usage"),
    ):
        with pytest.raises(HoldConflict), acting_as(user_actor(alice.id)):
            place_holds(user_id=alice.id, amounts=amounts, kind=kind)
    assert figures(alice) == (300, 10, 290)


@pytest.mark.parametrize("amounts", [{}, {uuid4(): 0}, {uuid4(): 5, uuid4(): -1}])
def test_a_hold_of_nothing_is_a_mistake_of_the_caller(alice, amounts):
    with pytest.raises(ValueError, match="at least 1 credit"):
        place_holds(user_id=alice.id, amounts=amounts)


def test_nobody_but_the_house_resolves_a_hold(alice):
    job_id, bob = hold(alice, 10).job_id, make_owner("bob")
    for end in (
        lambda: settle_hold(job_id=job_id, milliseconds=1),
        lambda: settle_cancelled(job_id=job_id, milliseconds=1),
        lambda: release_hold(job_id=job_id),
    ):
        for actor in (user_actor(bob.id), user_actor(alice.id)):
            with pytest.raises(ProgrammingError, match="denied"), acting_as(actor):
                end()
    assert figures(alice) == (300, 10, 290)


def test_a_job_without_a_hold_has_nothing_to_resolve(alice):
    with pytest.raises(HoldNotFound), acting_as(SERVICE):
        settle_hold(job_id=make_job(alice.id).id, milliseconds=1)


def test_whole_seconds_are_counted_without_floats():
    times = (0, 1, 3000, 3001, 10**15)
    assert [credits_for(ms) for ms in times] == [0, 1, 3, 4, 10**12]
    with pytest.raises(ValueError, match="-1 ms"):
        credits_for(-1)
