"""Who goes first: weights, newcomers, backlogs, age, warm models; nobody starves."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from accounts.tiers import limits_for
from billing.services.holds import place_holds
from generation.lanes import Lane
from generation.models import GenerationJob, QueueShare
from generation.services import schedule
from generation.services.lifecycle import cancel_job
from generation.services.queue import open_share, refresh_share
from generation.services.schedule import attempt_of
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.concurrency.queue_world import (
    assert_queue_is_sound,
    claim,
    finish,
    finish_all,
    make_model,
    make_rich,
    submit,
)
from tests.statements import without

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def studio(settings):
    """Nobody is stopped by the limits that other tests are about."""
    open_doors = {"waiting": 10_000, "submissions": 10**6, "longest_side": 2048}
    settings.TIER_OVERRIDES = dict.fromkeys(
        ("free", "starter", "pro", "studio", "enterprise"), open_doors
    )
    make_model()


def serve(claims: int, **over: Any) -> list[GenerationJob]:
    """The first job of each of the next claims, each completed at once."""
    heads = []
    for _ in range(claims):
        jobs = claim(**over)
        heads += jobs[:1]
        finish_all(jobs)
    return heads


def serve_users(claims: int, **over: Any) -> list[Any]:
    return [job.user_id for job in serve(claims, **over)]


def dump(user: User, count: int, **over: Any) -> None:
    """Queue `count` submissions of one credit, as `submit_jobs` would, in one go."""
    values = {"model": "starter", "prompt": "a star", "width": 64, "height": 64}
    with acting_as(SERVICE):
        open_share(user.id, user.tier)
        jobs = GenerationJob.objects.bulk_create(
            GenerationJob(
                user=user,
                tier=user.tier,
                priority=limits_for(user.tier).priority,
                status="queued",
                **values | over,
            )
            for _ in range(count)
        )
        place_holds(user_id=user.id, amounts={job.id: 1 for job in jobs})
        refresh_share(user.id)


def age(job: Any, minutes: int) -> None:
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE generation_jobs SET created_at = created_at - %s * "
            "interval '1 minute' WHERE id = %s",
            [minutes, job.id],
        )


def share_of(user: User) -> QueueShare:
    with acting_as(SERVICE):
        return QueueShare.objects.get(user=user)


def test_users_are_served_by_the_weight_of_their_tier():
    tiers = ("free", "starter", "pro")
    users = {tier: make_rich(tier, tier) for tier in tiers}
    for user in users.values():
        dump(user, 60)
    served = Counter(serve_users(51))
    # 10 : 25 : 50 of 51 claims.
    for tier, part in zip(tiers, (6, 15, 30), strict=True):
        assert abs(served[users[tier].id] - part) <= 1


def test_a_longer_picture_counts_for_more():
    alice, bob = make_rich("alice"), make_rich("bob")
    for _ in range(6):
        submit(alice, width=1024, height=1024, steps=10)
    dump(bob, 60)
    cost = submit(alice, width=1024, height=1024, steps=10)[0].quoted_credits
    assert cost > 3
    assert Counter(serve_users(2 * (cost + 1)))[alice.id] == 2


@pytest.mark.parametrize("seed", range(6))
def test_one_job_of_a_higher_tier_overtakes_all_that_wait_below(seed):
    """For equal costs. For others: all whose cost weighs more than the newcomer's.

    Before the newcomer go only jobs that cost, by their tier's weight, no more.
    """
    choice = random.Random(seed)
    tiers = ("free", "starter", "pro", "studio")
    users = [make_rich(f"{tier}-{n}", tier) for tier in tiers for n in range(2)]
    equal = seed % 2 == 0
    running: list[Any] = []
    for _ in range(30):
        if choice.random() < 0.5:
            steps = 1 if equal else choice.randrange(1, 40)
            side = 64 if equal else 1024
            submit(choice.choice(users), width=side, height=side, steps=steps)
        elif choice.random() < 0.6:
            running += claim()
        elif running:
            finish(attempt_of(running.pop()))
    tier = choice.choice(("starter", "pro", "studio", "enterprise"))
    weight = limits_for(tier).priority
    [job] = submit(make_rich("newcomer", tier), steps=1)
    while (head := claim())[0].id != job.id:
        assert head[0].priority >= weight if equal else True
        assert head[0].quoted_credits / head[0].priority <= 1 / weight + 1e-9
        finish_all(head)
    assert_queue_is_sound()


def test_a_job_waiting_behind_its_running_limit_is_overtaken_as_well():
    alice, bob = make_rich("alice"), make_rich("bob", "studio")
    dump(alice, 2)
    [first] = claim()
    for _ in range(20):
        dump(bob, 1)
        serve(1)
    finish(attempt_of(first))
    [job] = submit(make_rich("carol", "starter"))
    assert claim()[0].id == job.id


def order_beside_backlog(count: int) -> list[str]:
    """Whose claims the next 12 are, when Alice dumped `count` jobs before."""
    users = {
        name: make_rich(f"{name}{count}", tier)
        for name, tier in (("alice", "pro"), ("bob", "pro"), ("carol", "free"))
    }
    dump(users["alice"], count)
    for _ in range(3):
        submit(users["bob"])
        submit(users["carol"])
    names = {user.id: name for name, user in users.items()}
    served = [names[user_id] for user_id in serve_users(12)]
    with acting_as(SERVICE):
        GenerationJob.objects.filter(status="queued").update(status="cancelled")
        refresh_share(users["alice"].id)
    return served


def test_a_backlog_of_3000_delays_nobody_more_than_one_of_12():
    few, many = order_beside_backlog(12), order_beside_backlog(3000)
    assert few == many
    assert few.index("bob") <= 1
    assert set(few) == {"alice", "bob", "carol"}


def test_inside_a_user_priority_goes_before_age_for_ten_minutes():
    alice = make_rich("alice")
    [old] = submit(alice)
    with acting_as(SERVICE):
        User.objects.filter(id=alice.id).update(tier="pro")
    alice.tier = "pro"
    newer = [submit(alice)[0] for _ in range(3)]
    assert serve(1)[0].id == newer[0].id
    age(old, 9)
    assert serve(1)[0].id == newer[1].id
    age(old, 2)
    assert serve(1)[0].id == old.id
    assert serve(1)[0].id == newer[2].id


@pytest.mark.parametrize(("before", "is_preferred"), [(31, True), (32, False)])
def test_a_warm_model_is_preferred_among_a_users_next_32(before, is_preferred):
    alice = make_rich("alice")
    dump(alice, before)
    make_model("warm")
    [job] = submit(alice, model="warm")
    [head] = serve(1, warm_models=["warm"])
    assert (head.id == job.id) is is_preferred


def test_a_warm_model_never_goes_before_another_users_turn():
    alice, bob = make_rich("alice", "pro"), make_rich("bob")
    make_model("warm")
    submit(alice)
    submit(bob, model="warm")
    assert serve_users(2, warm_models=["warm"]) == [alice.id, bob.id]


def test_a_worker_takes_only_models_that_it_serves():
    alice, bob = make_rich("alice", "pro"), make_rich("bob")
    make_model("large")
    [large] = submit(alice, model="large")
    [small] = submit(alice)
    [other] = submit(bob)
    served = serve(2, served_models=["starter"])
    assert [job.id for job in served] == [small.id, other.id]
    assert claim(served_models=["starter"]) == []
    assert claim(served_models=["large"])[0].id == large.id


def test_a_worker_takes_only_tiers_that_it_serves():
    submit(make_rich("alice", "pro"))
    [job] = submit(make_rich("bob"))
    assert claim(tiers=["free", "starter"])[0].id == job.id
    assert claim(tiers=["free", "starter"]) == []


def turns_until_served(regular: User) -> int:
    """Newcomers come one at a time; the claims until the regular user is served.

    A job that no live worker serves waits meanwhile, and the regular user has used the
    queue for long.
    """
    make_model("nobody")
    submit(make_rich("waiting"), model="nobody")
    dump(regular, 25)
    serve(20, served_models=["starter"])
    for turn in range(1, 9):
        submit(make_rich(f"newcomer{turn}"))
        if serve_users(1, served_models=["starter"]) == [regular.id]:
            return turn
    return 9


def test_a_job_that_nobody_serves_makes_nobody_else_wait():
    assert turns_until_served(make_rich("regular")) <= 2


def test_control_with_a_clock_that_waits_for_all_a_regular_user_starves(monkeypatch):
    clock = without(
        schedule._ADVANCES[Lane.GPU],
        "AND virtual_finish >= %(finish)s",
        "AND %(finish)s IS NOT NULL",
    )
    monkeypatch.setitem(schedule._ADVANCES, Lane.GPU, clock)
    assert turns_until_served(make_rich("regular")) == 9


def test_nobody_starves_below_users_who_never_stop():
    """A waiting job is passed only until the others' starts are past its finish."""
    low = make_rich("low")
    busy = [make_rich(f"busy{n}", "enterprise") for n in range(3)]
    for user in busy:
        dump(user, 40)
    serve(9)
    submit(low)
    finish_of_low = share_of(low).virtual_finish
    bound = sum(
        1 + (finish_of_low - share_of(user).virtual_start) * 100 for user in busy
    )
    served = serve_users(int(bound) + 1)
    assert low.id in served
    # And not at once either: weights of 100 against 10.
    assert served.index(low.id) >= 10


def test_staying_away_saves_nothing_up():
    alice, bob = make_rich("alice"), make_rich("bob")
    dump(bob, 40)
    serve(20)
    dump(alice, 10)
    served = serve_users(8)
    assert Counter(served) == {alice.id: 4, bob.id: 4}


def test_cancelling_the_head_gives_no_advantage_and_no_loss():
    alice, bob = make_rich("alice"), make_rich("bob")
    [first], [second] = submit(alice), submit(alice)
    [third] = submit(bob)
    with acting_as(user_actor(alice.id)):
        cancel_job(user_id=alice.id, job_id=first.id)
    assert {job.id for job in serve(2)} == {second.id, third.id}
    assert_queue_is_sound()
