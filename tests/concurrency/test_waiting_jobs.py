"""Jobs that wait for others: claimed after them, hidden by nobody, ended with them."""

from __future__ import annotations

import os
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError

from billing.models import CreditHold
from generation import waiting
from generation.lanes import Lane
from generation.models import GenerationJob, JobStatus, QueueShare
from generation.selectors import describe_job
from generation.services import lifecycle
from generation.services.lifecycle import cancel_job, fail_job
from generation.services.schedule import attempt_of
from generation.services.sweep import sweep
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.functions import Now
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement
from pingvas.core.redis import tier_queue
from tests.concurrency.queue_world import (
    assert_queue_is_sound,
    claim,
    drain,
    finish,
    make_model,
    make_rich,
    queue_job,
    submit,
)
from tests.concurrency.racing import run_together
from tests.redis import redis_client

pytestmark = pytest.mark.django_db(transaction=True)

# `make slow` asks for a thousand.
ROUNDS = int(os.environ.get("PARENT_ROUNDS", "10"))


@pytest.fixture(autouse=True)
def model():
    return make_model()


@pytest.fixture
def alice():
    return make_rich("alice", "studio")


def state(job: GenerationJob) -> GenerationJob:
    with acting_as(SERVICE):
        return GenerationJob.objects.get(id=job.id)


def write(job: GenerationJob, **columns: Any) -> None:
    """Behind the services' back, as another version might."""
    with acting_as(SERVICE):
        GenerationJob.objects.filter(id=job.id).update(**columns)


def ids(jobs: list[GenerationJob]) -> list[Any]:
    return [job.id for job in jobs]


def test_a_job_is_claimed_after_the_jobs_that_it_waits_for(alice):
    parents = [queue_job(alice), queue_job(alice)]
    child = queue_job(alice, parents=parents)
    assert child.waits_on == 2
    [first], [second] = claim(), claim()
    assert claim() == []
    finish(attempt_of(first))
    assert (state(child).waits_on, claim()) == (1, [])
    finish(attempt_of(second))
    assert ids(claim()) == [child.id]
    assert_queue_is_sound()


def test_a_job_waits_for_none_of_those_that_have_completed(alice):
    parent = queue_job(alice)
    drain()
    child = queue_job(alice, parents=[parent])
    assert (child.waits_on, ids(claim())) == (0, [child.id])


def test_blocked_jobs_hide_no_free_job_behind_them(alice):
    parent = queue_job(alice)
    claim()
    for _ in range(40):
        queue_job(alice, parents=[parent], priority=99)
    free = queue_job(alice)
    assert ids(claim(warm_models=["starter"])) == [free.id]
    assert_queue_is_sound()


def test_jobs_of_one_submission_that_are_blocked_stay_behind_its_others(alice):
    parent = queue_job(alice)
    claim()
    batch = {"batch_id": uuid4(), "batch_size": 2}
    blocked = queue_job(alice, parents=[parent], batch_index=0, **batch)
    free = queue_job(alice, batch_index=1, **batch)
    assert ids(claim()) == [free.id]
    assert state(blocked).status == "queued"


def test_a_share_whose_jobs_are_all_blocked_is_passed_over_and_wakes_nobody(alice):
    parent = queue_job(alice)
    claim()
    child = queue_job(alice, parents=[parent])
    with acting_as(SERVICE):
        share = QueueShare.objects.get(user=alice)
    assert (share.claimable, share.waiting_since) == (False, None)
    redis_client().delete("queue:studio")
    [other] = submit(make_rich("bob"))
    assert ids(claim()) == [other.id]
    assert sweep()["tiers"] == 0
    with acting_as(user_actor(alice.id)):
        assert describe_job(alice.id, child.id).place is None


def test_the_last_parent_wakes_the_tier_of_the_child(alice):
    parent = queue_job(alice)
    queue_job(alice, parents=[parent], lane=Lane.EXTERNAL)
    [job] = claim()
    queue = tier_queue("studio", Lane.EXTERNAL)
    redis_client().delete(queue)
    finish(attempt_of(job))
    assert redis_client().llen(queue) == 1


def family(user: Any) -> tuple[GenerationJob, list[GenerationJob], GenerationJob]:
    """A parent, its child and that one's child, and a job apart from them."""
    parent, apart = queue_job(user), queue_job(user)
    child = queue_job(user, parents=[parent])
    both = queue_job(user, parents=[child, apart])
    return parent, [child, both], apart


def fail(user: Any, parent: GenerationJob) -> None:
    [job] = claim()
    assert job.id == parent.id
    with acting_as(SERVICE):
        fail_job(attempt_of(job), code="broken_picture", message="black")


def cancel(user: Any, parent: GenerationJob) -> None:
    with acting_as(user_actor(user.id)):
        cancel_job(user_id=user.id, job_id=parent.id)


@pytest.mark.parametrize("end", [fail, cancel])
def test_what_waits_for_a_job_that_is_lost_is_cancelled_and_costs_nothing(alice, end):
    parent, waiting, apart = family(alice)
    end(alice, parent)
    for job in waiting:
        ended = state(job)
        assert (ended.status, ended.error_code) == ("cancelled", "parent_failed")
        assert (ended.credits_consumed, ended.completed_at is None) == (0, False)
    with acting_as(SERVICE):
        holds = CreditHold.objects.filter(job_id__in=ids(waiting))
        assert {hold.status for hold in holds} == {"released"}
    assert ids(claim()) == [apart.id]
    assert_queue_is_sound()


def test_a_child_may_be_cancelled_while_it_waits(alice):
    parent, [child, last], _ = family(alice)
    cancel(alice, child)
    assert (state(child).status, state(child).error_code) == ("cancelled", None)
    assert (state(last).status, state(last).error_code) == (
        "cancelled",
        "parent_failed",
    )
    assert ids(claim()) == [parent.id]
    assert_queue_is_sound()


@pytest.mark.parametrize("said", [0, 2])
def test_the_sweeper_counts_again_and_says_so(alice, said, caplog):
    parents = [queue_job(alice), queue_job(alice)]
    child = queue_job(alice, parents=parents)
    [first] = claim()
    finish(attempt_of(first))
    write(child, waits_on=said)
    assert sweep()["parents"] == 1
    assert "a job waited for other than its parents" in caplog.text
    assert state(child).waits_on == 1
    assert_queue_is_sound()
    assert sweep()["parents"] == 0


def test_the_sweeper_ends_what_waits_for_a_lost_job(alice):
    parent, [child, last], _ = family(alice)
    write(parent, status="failed")
    sweep()
    for job in map(state, (child, last)):
        assert (job.status, job.error_code) == ("cancelled", "parent_failed")


def test_a_job_waits_for_others_of_its_user_alone_each_named_once(alice):
    mine, theirs = queue_job(alice), queue_job(make_rich("bob"))
    itself = uuid4()
    for parents in ([theirs.id], [uuid4()], [mine.id, mine.id], [itself]):
        with pytest.raises(IntegrityError, match="no other job of its user"):
            queue_job(alice, id=itself, parents=[GenerationJob(id=p) for p in parents])
    child = queue_job(alice, parents=[mine])
    with pytest.raises(IntegrityError, match="no other job of its user"):
        write(child, waits_for=[theirs.id])


def test_a_job_waits_for_no_more_than_it_names(alice):
    with pytest.raises(IntegrityError, match="waits_on_check"):
        write(queue_job(alice), waits_on=1)


@pytest.mark.parametrize(
    ("condition", "words", "found"),
    [
        (waiting.IS_WAITING, waiting.waiting("j"), 6),
        (waiting.IS_CLAIMABLE, waiting.claimable("j"), 4),
        (waiting.IS_WAITING_CHILD, waiting.waiting_child("j"), 4),
    ],
)
def test_the_indexes_and_the_statements_mean_the_same_jobs(
    alice, condition, words, found
):
    parent = queue_job(alice)
    drain()
    with acting_as(SERVICE):
        GenerationJob.objects.bulk_create(
            GenerationJob(
                user=alice,
                tier="studio",
                model="starter",
                prompt="a star",
                width=64,
                height=64,
                status=status,
                lease_expires_at=Now() if status == "in_progress" else None,
                waits_for=parents,
                waits_on=waits_on,
            )
            for status in JobStatus
            for parents, waits_on in (([], 0), ([parent.id], 0), ([parent.id], 1))
        )
    asked = Statement.of("SELECT id FROM generation_jobs j WHERE {it}", it=words)
    with acting_as(SERVICE):
        [rows] = read_together([asked.bind()])
        by_index = GenerationJob.objects.filter(condition).values_list("id", flat=True)
        assert sorted(by_index) == sorted(job_id for (job_id,) in rows)
    assert len(rows) == found


def complete_together(user: Any) -> tuple[GenerationJob, list[Any]]:
    """Parents of both lanes complete at once; their child, and what became of it."""
    parents = [queue_job(user, lane=lane) for lane in Lane]
    child = queue_job(user, parents=parents)
    [ours], [theirs] = claim(), claim(lane=Lane.EXTERNAL)
    outcomes = run_together(
        [partial(finish, attempt_of(job)) for job in (ours, theirs)]
    )
    assert [job.status for job in outcomes] == ["completed", "completed"]
    return child, claim()


@pytest.fixture
def meeting(monkeypatch, meet_after):
    """Both have written before either commits, unless a lock keeps them apart.

    Not the balance's, which also makes payments of one user wait for each other.
    """
    monkeypatch.setattr(lifecycle, "settle_hold", lambda **how: 1)
    meet_after(lifecycle, "_change", 2)


def test_control_without_the_lock_a_child_waits_for_ever(
    alice, unlocked_shares, meeting
):
    child, claimed = complete_together(alice)
    assert (state(child).waits_on, claimed) == (1, [])
    assert sweep()["parents"] == 1
    assert ids(claim()) == [child.id]


def test_a_child_is_free_when_parents_of_both_lanes_complete_at_once(alice, meeting):
    child, claimed = complete_together(alice)
    assert ids(claimed) == [child.id]


def test_a_child_is_free_however_its_parents_meet(alice):
    for _ in range(ROUNDS):
        child, claimed = complete_together(alice)
        assert ids(claimed) == [child.id]
        finish(attempt_of(claimed[0]))
    assert_queue_is_sound()
