"""Two lanes, one user: what each takes, the limit over both, and each one's order."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.tiers import Tier, limits_for
from generation.lanes import Lane
from generation.models import GenerationJob, QueueShare
from generation.selectors import describe_job
from generation.services.schedule import attempt_of
from generation.services.sweep import sweep
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.redis import tier_queue
from tests.concurrency.before import submit_before
from tests.concurrency.queue_world import (
    assert_queue_is_sound,
    claim,
    finish,
    finish_all,
    make_model,
    make_rich,
    queue_job,
    submit,
)
from tests.redis import redis_client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def model():
    return make_model()


@pytest.fixture
def alice():
    """Two submissions at a time, in whichever lane."""
    return make_rich("alice", "starter")


def outside(user: Any, **over: Any) -> GenerationJob:
    return queue_job(user, lane=Lane.EXTERNAL, **over)


def claim_outside(**over: Any) -> list[GenerationJob]:
    return claim(lane=Lane.EXTERNAL, **over)


def ids(jobs: list[GenerationJob]) -> list[Any]:
    return [job.id for job in jobs]


def share_of(user: Any) -> QueueShare:
    with acting_as(SERVICE):
        return QueueShare.objects.get(user=user)


def test_a_worker_takes_nothing_of_another_lane(alice):
    theirs, ours = outside(alice), queue_job(alice)
    assert ids(claim()) == [ours.id]
    assert claim() == []
    assert ids(claim_outside()) == [theirs.id]
    assert_queue_is_sound()


def test_the_running_limit_of_a_user_is_over_both_lanes(alice):
    for _ in range(2):
        queue_job(alice)
        outside(alice)
    [first], [second] = claim(), claim_outside()
    assert (claim(), claim_outside()) == ([], [])
    finish(attempt_of(first))
    [third] = claim_outside()
    assert (claim(), claim_outside()) == ([], [])
    for job in (second, third):
        finish(attempt_of(job))
    assert len(claim()) == 1
    assert_queue_is_sound()


def test_the_external_lane_has_a_limit_of_its_own_besides(settings):
    settings.TIER_OVERRIDES = {"pro": {"external_running": 1}}
    carol = make_rich("carol", "pro")
    for _ in range(2):
        outside(carol)
        queue_job(carol)
    assert len(claim_outside()) == 1
    assert claim_outside() == []
    assert [len(claim()), len(claim())] == [1, 1]
    assert_queue_is_sound()


def test_each_tier_has_its_number_of_external_submissions():
    allowed = [limits_for(tier).external_running for tier in Tier]
    assert allowed == [0, 2, 4, 8, 16]
    outside(make_rich("bob", "free"))
    assert claim_outside() == []


def test_what_somebody_took_of_one_lane_is_not_held_against_them_in_the_other(alice):
    bob, carol = make_rich("bob", "starter"), make_rich("carol", "starter")
    queue_job(carol, model="nobody's")
    for _ in range(8):
        queue_job(bob)
        finish_all(claim(served_models=["starter"]))
    jobs = [outside(user) for user in (bob, carol)]
    his, hers = share_of(bob), share_of(carol)
    assert his.virtual_start > hers.virtual_start
    assert his.external_start == hers.external_start
    assert [ids(claim_outside()) for _ in jobs] == [[job.id] for job in jobs]


def test_the_external_lane_serves_by_weight_as_well():
    users = [make_rich("low", "starter"), make_rich("high", "pro")]
    for user in users:
        for _ in range(9):
            outside(user)
    served = []
    for _ in range(9):
        jobs = claim_outside()
        served.append(jobs[0].user_id)
        finish_all(jobs)
    assert [served.count(user.id) for user in users] == [3, 6]
    assert_queue_is_sound()


def queues(tier: str) -> list[int]:
    return [redis_client().llen(tier_queue(tier, lane)) for lane in Lane]


def clear(tier: str) -> None:
    redis_client().delete(*(tier_queue(tier, lane) for lane in Lane))


def test_a_wake_up_goes_to_the_queue_of_its_lane(alice):
    outside(alice)
    clear("starter")
    assert sweep()["tiers"] == 1
    assert queues("starter") == [0, 1]
    assert redis_client().llen("queue:starter:external") == 1
    submit(alice)
    assert queues("starter") == [1, 1]


def test_a_claim_wakes_others_of_its_own_lane(alice):
    bob = make_rich("bob", "starter")
    outside(alice)
    outside(bob)
    clear("starter")
    claim_outside()
    assert queues("starter") == [0, 1]


@pytest.mark.parametrize("act", [claim, submit])
def test_whoever_locked_a_share_wakes_the_users_other_lane(alice, act):
    # A worker of the other lane may have passed over the share meanwhile.
    queue_job(alice)
    outside(alice)
    clear("starter")
    act(*([alice] if act is submit else []))
    assert queues("starter")[1] == 1


def test_who_comes_back_from_the_limit_wakes_the_other_lane(alice):
    queue_job(alice)
    queue_job(alice)
    outside(alice)
    [first], _ = claim(), claim()
    clear("starter")
    finish(attempt_of(first))
    assert queues("starter") == [0, 1]


def test_a_place_is_one_among_those_of_the_same_lane(alice):
    for name in ("bob", "carol"):
        submit(make_rich(name, "studio"))
    job = outside(alice)
    with acting_as(user_actor(alice.id)):
        assert describe_job(alice.id, job.id).place.ahead == 0
    queue_job(alice)
    first = outside(make_rich("dora", "studio"))
    with acting_as(user_actor(alice.id)):
        assert describe_job(alice.id, job.id).place.ahead == 1
    assert ids(claim_outside()) == [first.id]


def test_a_job_that_the_version_before_inserts_is_claimed_beside_ours(alice):
    submit_before(alice)
    [ours] = submit(make_rich("bob", "starter"))
    [theirs] = claim()
    assert (theirs.user_id, theirs.lane, theirs.waits_on) == (alice.id, "gpu", 0)
    assert ids(claim()) == [ours.id]
    assert claim_outside() == []
