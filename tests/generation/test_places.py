"""Where a waiting job stands: who goes before it, who could run it, and when."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from generation.models import WORKER_SILENCE, GenerationJob, ModelSpeed, Worker
from generation.places import Slot, expect_wait
from generation.pricing import MARGIN
from generation.selectors import describe_job
from generation.services.measure import Measurement, record_speed
from generation.services.registry import Registration, beat, register_worker
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.functions import Now
from pingvas.recipe.settings import Settings
from tests.concurrency.queue_world import claim, make_model, make_rich, submit

pytestmark = pytest.mark.django_db(transaction=True)

# Thirty seconds of a megapixel, with the margin of the hold.
LONG = {"width": 1024, "height": 1024, "steps": 20}
SECONDS = 30.0


@pytest.fixture(autouse=True)
def measured_model():
    make_model()
    with acting_as(SERVICE):
        ModelSpeed.objects.create(
            model="starter",
            hardware_class="cpu",
            step_milliseconds=1_450,
            around_milliseconds=1_000,
        )


def start_worker(**over):
    """A live worker's id."""
    values = {
        "worker_id": uuid4(),
        "name": "one",
        "tiers": ["free", "studio"],
        "hardware_class": "cpu",
        "device_memory": 1,
    }
    registration = Registration(**values | over)
    with acting_as(SERVICE):
        register_worker(registration)
    return registration.worker_id


def place(job):
    with acting_as(user_actor(job.user_id)):
        return describe_job(job.user_id, job.id).place


def let_pass(job, seconds):
    with acting_as(SERVICE):
        GenerationJob.objects.filter(id=job.id).update(
            started_at=Now() - timedelta(seconds=seconds)
        )


def test_without_a_worker_nobody_knows_when():
    [job] = submit(make_rich("alice"))
    found = place(job)
    assert (found.ahead, found.workers, found.expected_wait) == (0, 0, None)


@pytest.mark.parametrize(
    "cannot",
    [
        {"tiers": ["pro"]},
        {"lane": "external"},
        {"capabilities": ["base:sdxl"]},
        {"largest_bytes": 999},
        {"served_models": ["another"]},
        {"left_alone": ["starter"]},
        {"silent": True},
    ],
)
def test_a_worker_that_cannot_serve_the_job_does_not_count(cannot):
    is_silent, alone = cannot.pop("silent", False), cannot.pop("left_alone", [])
    worker_id = start_worker(**cannot)
    with acting_as(SERVICE):
        beat(worker_id, warm_models=[], left_alone=alone)
        AIModel.objects.update(file_size=1000)
    if is_silent:
        with acting_as(SERVICE):
            Worker.objects.filter(id=worker_id).update(
                heartbeat_at=Now() - WORKER_SILENCE
            )
    [job] = submit(make_rich("alice"))
    assert (place(job).workers, place(job).expected_wait) == (0, None)


def test_an_idle_worker_takes_it_at_once():
    start_worker(
        served_models=["starter"], capabilities=["base:sd15"], largest_bytes=1000
    )
    [job] = submit(make_rich("alice"))
    assert (place(job).workers, place(job).expected_wait) == (1, 0)


def test_a_busy_worker_is_waited_for_as_long_as_its_pass_still_takes():
    worker_id = start_worker()
    [running] = submit(make_rich("alice"), **LONG)
    assert running.quoted_credits == SECONDS * MARGIN
    [claimed] = claim(worker_id=worker_id)
    [job] = submit(make_rich("bob"))
    assert place(job).ahead == 0
    assert place(job).expected_wait == pytest.approx(SECONDS, abs=5)
    let_pass(claimed, 20)
    assert place(job).expected_wait == pytest.approx(SECONDS - 20, abs=5)
    let_pass(claimed, 300)
    assert place(job).expected_wait == 0


def test_those_ahead_are_waited_for_too():
    worker_id = start_worker()
    submit(make_rich("alice"), **LONG)
    claim(worker_id=worker_id)
    for name in ("bob", "carol"):
        submit(make_rich(name, "studio"), **LONG)
    [job] = submit(make_rich("dora"), **LONG)
    found = place(job)
    assert found.ahead == 2
    assert found.expected_wait == pytest.approx(3 * SECONDS, abs=5)


def test_at_the_running_limit_an_idle_worker_is_of_no_use():
    alice = make_rich("alice")
    worker_id = start_worker()
    start_worker()
    submit(alice, **LONG)
    claim(worker_id=worker_id)
    [job] = submit(alice)
    found = place(job)
    assert (found.ahead, found.workers) == (0, 2)
    assert found.expected_wait == pytest.approx(SECONDS, abs=5)
    [other] = submit(make_rich("bob"))
    assert place(other).expected_wait == 0


@pytest.fixture
def loading():
    with acting_as(SERVICE):
        ModelSpeed.objects.update(loading_milliseconds=12_000)


def test_a_model_that_nobody_holds_is_loaded_first(loading):
    worker_id = start_worker()
    [job] = submit(make_rich("alice"))
    assert place(job).expected_wait == 12
    with acting_as(SERVICE):
        beat(worker_id, warm_models=["starter"])
    assert place(job).expected_wait == 0


def test_whoever_draws_with_the_model_has_it(loading):
    worker_id = start_worker()
    submit(make_rich("alice"), **LONG)
    claim(worker_id=worker_id)
    [job] = submit(make_rich("bob"))
    assert place(job).expected_wait == pytest.approx(SECONDS, abs=5)


def test_a_loading_on_other_hardware_says_nothing(loading):
    start_worker(hardware_class="another")
    [job] = submit(make_rich("alice"))
    assert place(job).expected_wait == 0


def test_a_loading_is_learnt_from_passes_that_loaded():
    pass_ = {
        "model": "starter",
        "hardware_class": "cpu",
        "settings": Settings(prompt="a star", width=1024, height=1024),
        "step_milliseconds": 1.0,
        "around_milliseconds": 1.0,
    }
    with acting_as(SERVICE):
        for seen in (None, 10_000.0, None, 20_000.0):
            record_speed(Measurement(**pass_, loading_milliseconds=seen))
        assert ModelSpeed.objects.get().loading_milliseconds == 12_000


def test_a_running_job_has_no_place():
    submit(make_rich("alice"))
    [claimed] = claim()
    assert place(claimed) is None


@pytest.mark.parametrize(
    ("free_in", "ahead", "wait"),
    [
        ([0.0, 0.0], 1, 0.0),
        ([0.0, 0.0], 2, 10.0),
        ([4.0, 9.0], 0, 4.0),
        ([4.0, 9.0], 1, 9.0),
        ([4.0, 9.0], 3, 19.0),
        ([4.0, 9.0], 2_000_000, 10_000_004.0),
    ],
)
def test_the_wait_is_until_somebody_is_free(free_in, ahead, wait):
    assert expect_wait([Slot(each) for each in free_in], ahead, 10.0) == wait


@pytest.mark.parametrize(("ahead", "wait"), [(0, 5.0), (1, 4.0), (2, 15.0), (3, 14.0)])
def test_who_is_free_first_takes_it_and_loads_if_need_be(ahead, wait):
    slots = [Slot(0.0, loading=5.0), Slot(4.0)]
    assert expect_wait(slots, ahead, 10.0) == wait
