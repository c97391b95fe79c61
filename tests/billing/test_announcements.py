from __future__ import annotations

from uuid import uuid4

import pytest

from billing.services.grants import adjust_credits
from billing.services.holds import (
    InsufficientCredits,
    place_hold,
    release_hold,
    settle_hold,
)
from pingvas.core import events
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.billing.factories import make_job, make_owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_owner("alice")


@pytest.fixture
def told(monkeypatch, django_capture_on_commit_callbacks):
    """What is published when the call's transaction commits."""

    def listen(call):
        published = []
        monkeypatch.setattr(events, "publish_all", published.extend)
        with django_capture_on_commit_callbacks(execute=True):
            call()
        return published

    return listen


def figures(published) -> list[tuple[int, int, int]]:
    assert {event.type for event in published} == {"credits.changed"}
    return [
        (event.data["balance"], event.data["held"], event.data["available"])
        for event in published
    ]


def place(user, amount: int):
    job = make_job(user.id, quoted_credits=amount)
    with acting_as(user_actor(user.id)):
        place_hold(user_id=user.id, job_id=job.id, amount=amount)
    return job


def test_a_hold_is_announced_after_the_free_month(alice, told):
    published = told(lambda: place(alice, 100))
    assert figures(published) == [(300, 0, 300), (300, 100, 200)]
    assert {event.user_id for event in published} == {alice.id}


def test_the_end_of_a_job_is_announced_with_the_other_holds_still_held(alice, told):
    first, second = place(alice, 100), place(alice, 50)

    def end():
        with acting_as(SERVICE):
            settle_hold(job_id=first.id, milliseconds=7000)
            release_hold(job_id=second.id)

    assert figures(told(end)) == [(293, 50, 243), (293, 0, 293)]


def test_what_changes_nothing_is_not_announced(alice, told):
    job = place(alice, 100)

    def end():
        with acting_as(SERVICE):
            settle_hold(job_id=job.id, milliseconds=7000)

    assert len(told(end)) == 1
    assert told(end) == []


def test_a_refusal_is_not_announced(alice, told):
    def refused():
        with pytest.raises(InsufficientCredits):
            place(alice, 301)

    assert told(refused) == []


def test_an_adjustment_is_announced(alice, told):
    place(alice, 100)

    def adjust():
        with acting_as(SERVICE):
            adjust_credits(user_id=alice.id, amount=-50, reason="x", staff_id=uuid4())

    assert figures(told(adjust)) == [(250, 100, 150)]
