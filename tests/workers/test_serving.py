"""What a worker says that it serves, and what it takes because of that."""

from __future__ import annotations

import time

import pytest
from django.core.management import call_command

from generation.models import Worker
from generation.selectors import describe_job
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.concurrency.queue_world import make_model, make_rich
from tests.workers.jobs import read, submit
from workers.engine.engine import Engine
from workers.model_cache import ModelCache, ModelCacheFull, ModelStoreAway

pytestmark = pytest.mark.django_db(transaction=True)


def registered():
    with acting_as(SERVICE):
        return Worker.objects.get()


def place(user, job):
    with acting_as(user_actor(user.id)):
        return describe_job(user.id, job.id).place


def test_a_worker_registers_with_what_it_can_do_and_hold(studio):
    worker, engine = registered(), Engine()
    assert "free" in worker.tiers
    assert worker.lane == "gpu"
    assert worker.capabilities == ["base:flux", "base:sd15", "base:sd21", "base:sdxl"]
    assert worker.device_memory == engine.device.memory > 0
    assert 0 < worker.largest_bytes <= ModelCache().limit
    assert (worker.served_models, worker.left_alone) == (None, [])


def test_a_model_that_is_added_later_is_served_without_waiting(studio, tiny_folder):
    before = registered()
    call_command("add_model", str(tiny_folder), name="new", base="sd15", verbosity=0)
    [job] = submit(make_rich("alice"), model="new")
    assert studio.run_next()
    assert read(job).status == "completed"
    studio.beat()
    # No beat and no registration names any model.
    after = registered()
    assert after.served_models is None
    assert after.capabilities == before.capabilities


def test_a_model_switched_off_is_served_until_its_jobs_are_done(studio):
    [job] = submit(make_rich("alice"))
    with acting_as(SERVICE):
        AIModel.objects.update(is_active=False)
    assert studio.run_next()
    assert read(job).status == "completed"


def test_an_operator_narrows_what_a_worker_serves(open_runner, tiny_folder):
    runner = open_runner(models=["other"])
    assert registered().served_models == ["other"]
    alice = make_rich("alice")
    [job] = submit(alice)
    assert not runner.run_next()
    seen = place(alice, job)
    assert (seen.workers, seen.expected_wait) == (0, None)
    call_command("add_model", str(tiny_folder), name="other", base="sd15", verbosity=0)
    [other] = submit(make_rich("bob"), model="other")
    assert runner.run_next()
    assert (read(other).status, read(job).status) == ("completed", "queued")


@pytest.mark.parametrize("room", ["memory", "disk"])
def test_a_model_that_does_not_fit_is_left_to_others(open_runner, room):
    make_model("huge", file_size=10**9)
    small = {
        "memory": lambda: open_runner(Engine("cpu", 500_000_000)),
        "disk": lambda: open_runner(limit=500_000_000),
    }[room]()
    assert registered().largest_bytes == 500_000_000
    [job] = submit(make_rich("alice"), model="huge")
    assert not small.run_next()
    assert read(job).status == "queued"


def test_while_the_store_is_away_a_job_waits_and_loses_no_attempt(studio, monkeypatch):
    alice = make_rich("alice")
    [job] = submit(alice)
    with monkeypatch.context() as broken:
        broken.setattr(ModelCache, "ensure", raises(ModelStoreAway("away")))
        assert studio.run_next()
        assert (read(job).status, read(job).attempt) == ("queued", 0)
        # Left alone for a while, and told so: no loop of tries.
        assert not studio.run_next()
        studio.beat()
        assert registered().left_alone == ["tiny"]
        assert place(alice, job).expected_wait is None
    later = time.monotonic() + 60
    monkeypatch.setattr("workers.serving.time.monotonic", lambda: later)
    assert studio.run_next()
    assert (read(job).status, read(job).attempt) == ("completed", 1)


def test_a_full_disk_counts_as_a_try_and_leaves_the_job_to_others(studio, monkeypatch):
    [job] = submit(make_rich("alice"))
    monkeypatch.setattr(ModelCache, "ensure", raises(ModelCacheFull("full")))
    assert studio.run_next()
    assert (read(job).status, read(job).attempt) == ("queued", 1)
    assert not studio.run_next()


def test_a_model_that_is_gone_fails_its_jobs_at_once(studio):
    [job] = submit(make_rich("alice"))
    with acting_as(SERVICE):
        AIModel.objects.update(name="renamed")
    assert studio.run_next()
    ended = read(job)
    assert (ended.status, ended.error_code) == ("failed", "model_missing")


def test_models_named_by_the_operator_are_warm_before_any_job(studio):
    studio.warm_up(["nobody's", "tiny"])
    studio.beat()
    assert registered().warm_models == ["tiny"]
    assert studio._engine.memory().models == 1


def raises(error):
    def fail(*arguments, **options):
        raise error

    return fail
