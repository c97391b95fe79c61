"""Users, workers and the sweeper want one job. Each race is shown unguarded first."""

from __future__ import annotations

import threading
from functools import partial
from time import sleep
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection

from billing.services.audit import audit_ledger
from billing.services.ledger import PostingConflict
from gallery.models import Image
from generation.lanes import Lane
from generation.models import GenerationJob
from generation.services import lifecycle, queue, schedule
from generation.services import submit as submitting
from generation.services.lifecycle import (
    StaleAttempt,
    cancel_job,
    complete_job,
    take_back_expired,
)
from generation.services.schedule import attempt_of, claim_jobs
from generation.services.submit import QueueFull
from generation.waiting import claimable
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.concurrency.queue_world import (
    assert_queue_is_sound,
    assert_shares_equal_the_jobs,
    claim,
    expire_lease,
    finish,
    finished,
    make_model,
    make_rich,
    offer,
    submit,
)
from tests.concurrency.racing import THREADS, act_together, run_together
from tests.database import admin_connection
from tests.statements import without

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def model():
    return make_model()


@pytest.fixture
def alice():
    return make_rich("alice")


def claim_together(times: int = 2) -> list[Any]:
    return act_together(SERVICE, [partial(claim_jobs, offer())] * times)


def state_of(job: GenerationJob) -> GenerationJob:
    with acting_as(SERVICE):
        return GenerationJob.objects.get(id=job.id)


def test_control_without_its_guards_a_job_is_claimed_twice(
    alice, meet_after, monkeypatch
):
    guard = "j.batch_id = picked.batch_id\n      AND j.lane = 'gpu' AND "
    unguarded = without(
        without(schedule._CLAIMS[Lane.GPU], "FOR UPDATE OF s SKIP LOCKED"),
        guard + claimable("j"),
        "j.batch_id = picked.batch_id",
    )
    monkeypatch.setitem(schedule._CLAIMS, Lane.GPU, unguarded)
    [job] = submit(alice)
    meet_after(schedule, "_pick", 2)
    first, second = claim_together()
    assert [each.id for each in first + second] == [job.id, job.id]


def test_two_workers_never_claim_one_job(alice, meet_after):
    [job] = submit(alice)
    meet_after(schedule, "_pick", 2)
    first, second = claim_together()
    assert [each.id for each in first + second] == [job.id]
    assert_queue_is_sound()


def claim_beside(alice: Any, meet_after: Any) -> int:
    """How many of Alice's submissions run when two workers look at the same time."""
    for model in ("starter", "other"):
        submit(alice, model=model)
    meet_after(schedule, "_pick", 2)
    workers = [offer(warm_models=["starter"]), offer(warm_models=["other"])]
    act_together(SERVICE, [partial(claim_jobs, each) for each in workers])
    with acting_as(SERVICE):
        return GenerationJob.objects.filter(status="in_progress").count()


def test_control_without_the_lock_a_user_runs_above_the_limit(
    alice, meet_after, monkeypatch
):
    make_model("other")
    unlocked = without(schedule._CLAIMS[Lane.GPU], "FOR UPDATE OF s SKIP LOCKED")
    monkeypatch.setitem(schedule._CLAIMS, Lane.GPU, unlocked)
    assert claim_beside(alice, meet_after) == 2


def test_nobody_runs_above_the_limit(alice, meet_after):
    make_model("other")
    assert claim_beside(alice, meet_after) == 1
    assert_queue_is_sound()


def test_claims_of_many_threads_take_each_job_once_and_keep_every_limit():
    tiers = ("free", "starter", "studio")
    users = [make_rich(f"{tier}-{n}", tier) for tier in tiers for n in range(2)]
    jobs = {job.id for user in users for _ in range(2) for job in submit(user, (1, 2))}
    claimed: list[Any] = []

    def work() -> None:
        for _ in range(6):
            with acting_as(SERVICE):
                mine = claim_jobs(offer())
            claimed.extend(job.id for job in mine)
            assert_shares_equal_the_jobs()
            for job in mine:
                finish(attempt_of(job))

    assert run_together([work] * THREADS) == [None] * THREADS
    while mine := claim():
        claimed.extend(job.id for job in mine)
        for job in mine:
            finish(attempt_of(job))
    assert sorted(claimed) == sorted(jobs)
    assert_queue_is_sound()


def test_a_claim_never_waits_for_a_locked_share(alice):
    submit(alice)
    [other] = submit(make_rich("bob"))
    with admin_connection() as admin, admin.transaction():
        admin.execute(
            "SELECT 1 FROM queue_shares WHERE user_id = %s FOR UPDATE", [alice.id]
        )
        assert [job.id for job in claim()] == [other.id]
        assert claim() == []
    assert len(claim()) == 1


def test_a_claim_never_waits_for_another_that_moves_the_clock(alice):
    [job] = submit(alice)
    with admin_connection() as admin, admin.transaction():
        admin.execute("SELECT 1 FROM queue_clock FOR UPDATE")
        assert [each.id for each in claim()] == [job.id]


def submit_together(user: Any, meet_after: Any) -> list[Any]:
    meet_after(submitting, "open_share", THREADS)
    return run_together([partial(submit, user)] * THREADS)


def test_control_without_the_lock_more_wait_than_the_plan_allows(
    alice, meet_after, monkeypatch
):
    locking = """DO UPDATE
        SET tier = excluded.tier, running_limit = excluded.running_limit,
            external_limit = excluded.external_limit"""
    opening = without(queue._OPEN_SHARE, locking, "DO NOTHING")
    monkeypatch.setattr(queue, "_OPEN_SHARE", opening)
    outcomes = submit_together(alice, meet_after)
    assert not any(isinstance(each, QueueFull) for each in outcomes)


def test_submissions_of_many_threads_keep_the_waiting_limit(alice, meet_after):
    outcomes = submit_together(alice, meet_after)
    refused = [each for each in outcomes if isinstance(each, QueueFull)]
    assert len(refused) == THREADS - 2
    assert_queue_is_sound()


def cancel(user: Any, job: GenerationJob) -> GenerationJob:
    with acting_as(user_actor(user.id)):
        return cancel_job(user_id=user.id, job_id=job.id)


def cancel_beside_claim(alice: Any, meet_after: Any) -> list[Any]:
    [job] = submit(alice)
    meet_after(lifecycle, "settle_cancelled", 2)
    meet_after(schedule, "_settle_claim", 2)
    return run_together([partial(cancel, alice, job), claim])


def test_control_without_the_lock_a_claimed_job_is_cancelled(
    alice, meet_after, unlocked_shares
):
    cancelled, claimed = cancel_beside_claim(alice, meet_after)
    assert cancelled.status == "cancelled"
    assert len(claimed) == 1


def test_a_job_is_cancelled_while_it_waits_or_is_asked_to_stop(alice, meet_after):
    cancelled, claimed = cancel_beside_claim(alice, meet_after)
    if claimed:
        assert cancelled.status == "in_progress"
        assert state_of(cancelled).cancel_requested_at is not None
    else:
        assert cancelled.status == "cancelled"
    assert_queue_is_sound()


WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def cancel_beside_renewal(alice: Any, monkeypatch: Any) -> list[Any]:
    """A worker renews its batch when one of its two jobs is cancelled already."""
    submit(alice, seeds=(1, 2))
    jobs = claim()
    cancelled = threading.Event()
    cancel_one = lifecycle.cancel_job

    def cancel_and_wait(**which: Any) -> GenerationJob:
        job = cancel_one(**which)
        if not cancelled.is_set():
            cancelled.set()
            with admin_connection() as admin, connection.cursor() as cursor:
                admin.autocommit = True
                while admin.execute(WAITS).fetchone() == (0,):
                    sleep(0.01)
                cursor.execute("SET LOCAL lock_timeout = '500ms'")
        return job

    def cancel_all() -> None:
        with acting_as(user_actor(alice.id)):
            asked = jobs[0].submission_id
            lifecycle.cancel_submission(user_id=alice.id, submission_id=asked)

    def renew() -> frozenset[Any]:
        cancelled.wait(timeout=20)
        with acting_as(SERVICE):
            return schedule.renew_leases(list(map(attempt_of, jobs))).cancelled

    monkeypatch.setattr(lifecycle, "cancel_job", cancel_and_wait)
    told, renewed = run_together([cancel_all, renew])
    return [told, len(renewed)]


def test_control_in_another_order_a_renewal_and_a_cancellation_wait_in_a_circle(
    alice, monkeypatch
):
    other = without(schedule._RENEW, "ORDER BY job.id", "ORDER BY job.id DESC")
    monkeypatch.setattr(schedule, "_RENEW", other)
    told, cancelled = cancel_beside_renewal(alice, monkeypatch)
    assert (type(told), cancelled) == (OperationalError, 0)


def test_a_submission_is_cancelled_beside_the_renewal_of_its_jobs(alice, monkeypatch):
    assert cancel_beside_renewal(alice, monkeypatch) == [None, 2]
    assert_queue_is_sound()


def cancel_beside_completion(alice: Any, monkeypatch: Any) -> str:
    """The committed status at the moment when the request to cancel is written."""
    submit(alice)
    [job] = claim()
    looked, completed = threading.Event(), threading.Event()
    update = lifecycle._update
    seen = []

    def wait_and_update(row: GenerationJob, columns: Any, **how: Any) -> list[Any]:
        if "cancel_requested_at" in how["clocked"]:
            looked.set()
            completed.wait(timeout=2)
            with admin_connection() as admin:
                query = "SELECT status FROM generation_jobs WHERE id = %s"
                seen.extend(admin.execute(query, [row.id]).fetchone())
        return update(row, columns, **how)

    def complete() -> None:
        looked.wait(timeout=20)
        finish(attempt_of(job))
        completed.set()

    monkeypatch.setattr(lifecycle, "_update", wait_and_update)
    run_together([partial(cancel, alice, job), complete])
    assert state_of(job).status == "completed"
    return str(seen[0])


def test_control_without_the_lock_a_completed_job_is_written_to(
    alice, monkeypatch, unlocked_shares
):
    assert cancel_beside_completion(alice, monkeypatch) == "completed"


def test_a_completion_waits_for_the_request_to_cancel(alice, monkeypatch):
    assert cancel_beside_completion(alice, monkeypatch) == "in_progress"
    assert_queue_is_sound()


def complete_twice(alice: Any, meet_after: Any) -> list[Any]:
    submit(alice)
    [job] = claim()
    meet_after(lifecycle, "_lock_attempt", 2)
    results = [finished(job.id, milliseconds) for milliseconds in (700, 1_700)]
    return act_together(
        SERVICE, [partial(complete_job, attempt_of(job), each) for each in results]
    )


def test_control_without_the_lock_both_completions_try_to_settle(
    alice, meet_after, unlocked_shares
):
    # The unique keys of pictures and postings are the last line: an error, no charge.
    outcomes = complete_twice(alice, meet_after)
    errors = [each for each in outcomes if isinstance(each, Exception)]
    assert len(errors) == 1
    assert isinstance(errors[0], IntegrityError | PostingConflict)


def test_of_two_completions_one_counts(alice, meet_after):
    outcomes = complete_twice(alice, meet_after)
    stale = [each for each in outcomes if isinstance(each, StaleAttempt)]
    assert len(stale) == 1
    assert_queue_is_sound()


def sweep_beside_completion(alice: Any, meet_after: Any) -> list[Any]:
    submit(alice)
    [job] = claim()
    expire_lease(job.id)
    meet_after(lifecycle, "_lock_attempt", 2)
    meet_after(lifecycle, "_take_back", 2)
    take_back = partial(take_back_expired, job_id=job.id, user_id=alice.id)
    complete = partial(complete_job, attempt_of(job), finished(job.id))
    return act_together(SERVICE, [take_back, complete])


def test_control_without_the_lock_a_completed_job_is_taken_back(
    alice, meet_after, unlocked_shares
):
    # The trigger's table of transitions is the last line.
    outcomes = sweep_beside_completion(alice, meet_after)
    errors = [each for each in outcomes if isinstance(each, IntegrityError)]
    assert len(errors) == 1


def test_a_job_is_completed_or_taken_back(alice, meet_after):
    taken, completed = sweep_beside_completion(alice, meet_after)
    if taken is None:
        assert completed.status == "completed"
    else:
        assert taken.status == "queued"
        assert isinstance(completed, StaleAttempt)
    assert_queue_is_sound()


def write_as_zombie(alice: Any) -> tuple[Any, Any]:
    """A worker wakes up after its job was lost and given to another."""
    submit(alice)
    [job] = claim()
    expire_lease(job.id)
    with acting_as(SERVICE):
        take_back_expired(job_id=job.id, user_id=alice.id)
    [again] = claim()
    return attempt_of(job), attempt_of(again)


def test_control_without_the_attempt_number_a_zombie_completes_the_job(
    alice, monkeypatch
):
    def lock_any(attempt: Any) -> GenerationJob:
        return GenerationJob.objects.get(id=attempt.job_id, status="in_progress")

    zombie, holder = write_as_zombie(alice)
    monkeypatch.setattr(lifecycle, "_lock_attempt", lock_any)
    assert finish(zombie).status == "completed"
    with pytest.raises(GenerationJob.DoesNotExist):
        finish(holder)


def test_a_zombie_changes_nothing(alice):
    zombie, holder = write_as_zombie(alice)
    with pytest.raises(StaleAttempt):
        finish(zombie)
    with acting_as(SERVICE):
        assert not Image.objects.exists()
    assert finish(holder).status == "completed"
    assert audit_ledger() == []
