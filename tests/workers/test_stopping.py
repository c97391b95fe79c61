"""A worker that is told to stop gives its jobs back, and they lose nothing by it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

import pytest

from billing.services.audit import audit_ledger
from generation.services.lifecycle import StaleAttempt, fail_job, return_job
from generation.services.schedule import attempt_of, renew_leases
from pingvas.core.db.actor import SERVICE, acting_as
from tests.concurrency.queue_world import claim, make_model, make_rich, submit
from tests.workers import jobs
from tests.workers.jobs import SlowEngine, read, wait_until
from workers.stopping import Stop, StopBoard

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_pass_that_is_stopped_goes_back_untried_and_another_worker_takes_it(
    open_runner,
):
    board = StopBoard()
    asks = SlowEngine(on_step=lambda done: board.ask(Stop.AT_ONCE))
    stopping = open_runner(asks, board=board)
    [job] = jobs.submit(make_rich("alice"), steps=9)
    assert stopping.run_next()
    back = read(job)
    assert (back.status, back.attempt, back.credits_consumed) == ("queued", 0, None)
    # It takes nothing more.
    assert not stopping.run_next()
    assert open_runner().run_next()
    assert (read(job).status, read(job).attempt) == ("completed", 1)
    assert audit_ledger() == []


def test_a_warm_stop_lets_the_pass_end_and_takes_no_other(open_runner):
    board = StopBoard()
    asks = SlowEngine(on_step=lambda done: board.ask(Stop.AFTER_JOBS))
    runner = open_runner(asks, board=board)
    [first] = jobs.submit(make_rich("alice"))
    [second] = jobs.submit(make_rich("bob"))
    assert runner.run_next()
    assert not runner.run_next()
    assert [read(job).status for job in (first, second)] == ["completed", "queued"]


def test_a_child_that_ends_gives_back_what_its_other_thread_runs(open_runner):
    started = threading.Event()
    engine = SlowEngine(pause=0.2, on_step=lambda done: started.set())
    runner = open_runner(engine)
    [job] = jobs.submit(make_rich("alice"), steps=50)
    thread = threading.Thread(target=runner.run_next)
    thread.start()
    assert started.wait(60)
    runner.leave()
    thread.join()
    assert (read(job).status, read(job).attempt) == ("queued", 0)


def test_a_signal_in_the_middle_of_the_steps_gives_the_jobs_back(open_runner):
    def end(done):
        raise SystemExit(1)

    runner = open_runner(SlowEngine(on_step=end))
    [job] = jobs.submit(make_rich("alice"))
    with pytest.raises(SystemExit):
        runner.run_next()
    assert (read(job).status, read(job).attempt) == ("queued", 0)


def test_a_job_cancelled_meanwhile_is_cancelled_when_it_goes_back():
    from tests.workers.test_ending import ask_to_cancel

    make_model()
    submit(make_rich("alice"))
    [job] = claim()
    ask_to_cancel(job)
    with acting_as(SERVICE):
        return_job(attempt_of(job))
    assert (read(job).status, read(job).credits_consumed) == ("cancelled", 0)


@pytest.fixture
def same_number():
    """An attempt that gave its job back, and the next one of the same number."""
    make_model()
    submit(make_rich("alice"))
    [job] = claim()
    before = attempt_of(job)
    with acting_as(SERVICE):
        return_job(before)
    [job] = claim()
    after = attempt_of(job)
    assert before.number == after.number == 1
    return before, after


def test_the_attempt_before_writes_nothing_of_one_with_the_same_number(same_number):
    before, after = same_number
    for write in (return_job, lambda it: fail_job(it, code="x", message="x")):
        with pytest.raises(StaleAttempt), acting_as(SERVICE):
            write(before)
    with acting_as(SERVICE):
        assert renew_leases([before]).held == frozenset()
        assert renew_leases([after]).held == {after.job_id}


def test_control_by_the_number_alone_it_would(same_number):
    before, _ = same_number
    blind = type(before)(
        job_id=before.job_id, user_id=before.user_id, number=before.number
    )
    with acting_as(SERVICE):
        assert renew_leases([blind]).held == {before.job_id}
        assert return_job(blind).status == "queued"


def test_the_board_is_shared_with_children_and_outlives_a_killed_one():
    board, fork = StopBoard(), multiprocessing.get_context("fork")
    working, idle = fork.Event(), fork.Event()

    def work():
        with board.at_work(), board.at_work():
            working.set()
            wait_until(lambda: board.wish == Stop.AT_ONCE)
        idle.set()
        signal.pause()

    child = fork.Process(target=work, daemon=True)
    child.start()
    assert working.wait(30)
    assert not board.wait_until_idle(0.2)
    board.ask(Stop.AT_ONCE)
    board.ask(Stop.AFTER_JOBS)
    assert board.wish == Stop.AT_ONCE
    assert idle.wait(30)
    assert board.wait_until_idle(0.2)
    os.kill(child.pid, signal.SIGKILL)
    child.join()


def test_a_child_that_was_killed_at_work_is_not_waited_for():
    board, fork = StopBoard(), multiprocessing.get_context("fork")
    working = fork.Event()

    def work():
        with board.at_work():
            working.set()
            signal.pause()

    child = fork.Process(target=work, daemon=True)
    child.start()
    assert working.wait(30)
    assert not board.wait_until_idle(0.1)
    child.kill()
    child.join()
    assert board.wait_until_idle(0.1)
