"""A picture that is drawn waits for a store that is away, and its job loses nothing."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from billing.services.audit import audit_ledger
from gallery.models import Image
from generation.services.lifecycle import cancel_job
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.storage.base import StorageUnavailable
from tests.concurrency.queue_world import make_rich
from tests.workers.jobs import read, submit, wait_until
from workers import ending, lease, saving
from workers.stopping import Stop, StopBoard

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store(monkeypatch):
    """The store, which is away until `back` is set."""

    class Store:
        tries = 0
        back = threading.Event()

    real = ending.store_picture

    def put(*arguments, **options):
        Store.tries += 1
        if not Store.back.is_set():
            raise StorageUnavailable
        return real(*arguments, **options)

    monkeypatch.setattr(ending, "store_picture", put)
    monkeypatch.setattr(saving, "PAUSES", (0.05,))
    monkeypatch.setattr(saving, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.1)
    Store.back.clear()
    yield Store
    Store.back.set()


@pytest.fixture
def waiting(open_runner, store):
    """A runner whose drawn picture waits for the store, on a thread; and the job."""
    board = StopBoard()
    runner = open_runner(board=board, overlap=True)
    alice = make_rich("alice")
    [job] = submit(alice)
    assert runner.run_next()
    wait_until(lambda: store.tries > 2)
    yield runner, board, alice, job
    store.back.set()
    assert runner._finisher.wait(30)


def test_the_picture_is_stored_when_the_store_is_back(waiting, store):
    runner, _, _, job = waiting
    row = read(job)
    # Nobody pays for waiting, and its deadline does not run out meanwhile.
    assert row.deadline_at - row.started_at > timedelta(minutes=5)
    store.back.set()
    assert runner._finisher.wait(30)
    ended = read(job)
    assert (ended.status, ended.attempt) == ("completed", 1)
    assert ended.timings["uploading"] > 100
    assert ended.credits_consumed <= ended.quoted_credits
    assert audit_ledger() == []


def test_nothing_more_is_drawn_meanwhile(waiting, store, monkeypatch):
    runner, _, _, _ = waiting
    [other] = submit(make_rich("bob"))
    assert not runner.run_next()
    assert read(other).status == "queued"
    store.back.set()
    assert runner._finisher.wait(30)
    assert runner.run_next()
    assert runner._finisher.wait(30)
    assert read(other).status == "completed"


def test_who_cancels_meanwhile_pays_for_what_ran_and_gets_no_picture(waiting):
    runner, _, alice, job = waiting
    with acting_as(user_actor(alice.id)):
        cancel_job(user_id=alice.id, job_id=job.id)
    assert runner._finisher.wait(30)
    ended = read(job)
    assert (ended.status, ended.credits_consumed) == ("cancelled", 1)
    with acting_as(SERVICE):
        assert not Image.objects.exists()


def test_a_worker_that_must_stop_puts_the_job_back_untried(waiting):
    runner, board, _, job = waiting
    board.ask(Stop.AT_ONCE)
    assert runner._finisher.wait(30)
    assert (read(job).status, read(job).attempt) == ("queued", 0)


def test_a_store_that_is_away_for_too_long_costs_no_attempt(waiting):
    runner, _, _, job = waiting
    with acting_as(SERVICE):
        row = read(job)
        type(row).objects.filter(id=job.id).update(deadline_at=row.started_at)
    assert runner._finisher.wait(30)
    assert (read(job).status, read(job).attempt) == ("queued", 0)
    # Nothing is drawn only to be thrown away.
    assert not runner.run_next()


def test_a_batch_is_moved_out_of_its_deadline_once(open_runner, store, monkeypatch):
    moves = []
    real = ending.start_free_phase
    monkeypatch.setattr(
        ending, "start_free_phase", lambda jobs: (moves.append(len(jobs)), real(jobs))
    )
    runner = open_runner(overlap=True)
    jobs = submit(make_rich("alice"), seeds=(1, 2))
    assert runner.run_next()
    wait_until(lambda: store.tries > 2)
    store.back.set()
    assert runner._finisher.wait(30)
    assert {read(job).status for job in jobs} == {"completed"}
    assert moves == [2]


def test_an_error_that_nobody_expected_gives_the_job_back_at_once(
    open_runner, monkeypatch
):
    def fail(*arguments):
        raise RuntimeError("no encoder")

    monkeypatch.setattr(ending, "encode_picture", fail)
    [job] = submit(make_rich("alice"))
    begun = time.monotonic()
    assert open_runner().run_next()
    assert (read(job).status, read(job).attempt) == ("queued", 1)
    assert time.monotonic() - begun < 30
