"""A pass is finished beside the steps of the next one, and nothing of it is lost."""

from __future__ import annotations

import threading
import time

import pytest

from billing.services.audit import audit_ledger
from gallery.models import Image
from pingvas.core.db.actor import SERVICE, acting_as
from tests.concurrency.queue_world import make_rich
from tests.workers.jobs import SlowEngine, read, submit, wait_until
from workers import ending
from workers.engine.engine import Engine
from workers.engine.errors import DeviceLost
from workers.engine.memory import Residency
from workers.finishing import Finisher, StepClock
from workers.tasks import may_overlap

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 30.0


class LateDecoder(SlowEngine):
    """Decodes the first pass only when the second one has taken its steps."""

    def __init__(self):
        super().__init__(pause=1.0)
        self.decodings, self.second = 0, threading.Event()
        self._passes = 0

    def denoise(self, spec, **callbacks):
        denoised = super().denoise(spec, **callbacks)
        self._passes += 1
        if self._passes == 2:
            self.second.set()
        return denoised

    def decode(self, denoised, *, on_phase):
        self.decodings += 1
        begun = time.monotonic()
        if self.decodings == 1:
            assert self.second.wait(SECONDS)
        result = super().decode(denoised, on_phase=on_phase)
        late = (time.monotonic() - begun) * 1000
        object.__setattr__(result.timings, "decoding", late)
        return result


def finish(runner):
    assert runner._finisher.wait(SECONDS)


def test_a_pass_is_decoded_and_saved_beside_the_steps_of_the_next(open_runner):
    engine = LateDecoder()
    runner = open_runner(engine, overlap=True)
    [first] = submit(make_rich("alice"))
    [second] = submit(make_rich("bob"))
    assert runner.run_next()
    assert read(first).status == "in_progress"
    assert runner.run_next()
    finish(runner)
    first, second = read(first), read(second)
    assert (first.status, second.status) == ("completed", "completed")
    assert second.started_at < first.completed_at
    # Two steps of the second pass, a second each, ran beside its decoding: free.
    assert first.timings["decoding"] > 2000
    assert first.duration_seconds <= 4
    billed = first.timings["denoising"] + first.timings["encoding"]
    assert first.duration_seconds * 1000 - billed < 2000
    assert audit_ledger() == []


def test_without_overlap_a_pass_is_saved_before_the_next_is_claimed(open_runner):
    runner = open_runner()
    [first] = submit(make_rich("alice"))
    submit(make_rich("bob"))
    assert runner.run_next()
    assert read(first).status == "completed"


def test_pictures_are_the_same_with_and_without_overlap(open_runner):
    digests = []
    for overlap in (False, True):
        runner = open_runner(overlap=overlap)
        jobs = [submit(make_rich(f"{name}{overlap}"))[0] for name in ("a", "b")]
        for _ in jobs:
            assert runner.run_next()
        finish(runner)
        with acting_as(SERVICE):
            rows = Image.objects.filter(job_id__in=[job.id for job in jobs])
            # The record names the job; the pixels are what must not differ.
            digests.append({(row.metadata["seed"], row.file_size) for row in rows})
    assert digests[0] == digests[1]


def test_a_third_pass_waits_until_the_first_is_finished():
    finisher, gate, done = Finisher(beside=True), threading.Event(), []
    finisher.hand_over(lambda: gate.wait(SECONDS), may_overlap=True)
    threading.Timer(0.3, gate.set).start()
    begun = time.monotonic()
    finisher.hand_over(lambda: done.append(1), may_overlap=True)
    assert time.monotonic() - begun > 0.25
    assert finisher.wait(SECONDS)
    assert done == [1]


def test_what_may_not_overlap_is_finished_at_once():
    finisher, threads = Finisher(beside=True), []
    finisher.hand_over(
        lambda: threads.append(threading.current_thread()), may_overlap=False
    )
    assert threads == [threading.current_thread()]


def test_a_finish_that_fails_lets_the_next_one_in(caplog):
    finisher = Finisher(beside=True)
    finisher.hand_over(lambda: 1 / 0, may_overlap=True)
    assert finisher.wait(SECONDS)
    assert "was not finished" in caplog.text


def test_the_clock_counts_steps_alone():
    clock = StepClock()
    time.sleep(0.1)
    assert clock.read() == 0
    with clock.running():
        time.sleep(0.1)
        half = clock.read()
        assert 0.09 < half < 1
        time.sleep(0.1)
    whole = clock.read()
    assert whole > half + 0.09
    time.sleep(0.1)
    assert clock.read() == whole


def test_a_device_lost_while_decoding_ends_the_process_and_costs_no_picture(
    open_runner,
):
    class Broken(Engine):
        def decode(self, denoised, *, on_phase):
            denoised.discard()
            raise DeviceLost("gone")

    runner = open_runner(Broken("cpu"), overlap=True)
    [job] = submit(make_rich("alice"))
    assert runner.run_next()
    finish(runner)
    assert (read(job).status, read(job).attempt) == ("queued", 1)
    with pytest.raises(SystemExit):
        runner.run_next()


def test_a_model_waits_for_the_room_of_one_that_is_being_decoded():
    residency = Residency(10, patience=SECONDS)
    residency.load("first", 6, lambda: "a")
    leave = threading.Event()

    def use():
        with residency.using("first"):
            leave.wait(SECONDS)

    thread = threading.Thread(target=use)
    thread.start()
    wait_until(lambda: residency._models["first"].users)
    threading.Timer(0.2, leave.set).start()
    assert residency.load("second", 6, lambda: "b") == "b"
    thread.join()
    assert residency.get("first") is None


def test_a_pass_ends_while_another_model_is_loading():
    """Loading takes minutes; nobody's picture waits for it."""
    residency = Residency(10, patience=SECONDS)
    residency.load("first", 4, lambda: "a")
    building, ended = threading.Event(), threading.Event()

    def build():
        building.set()
        assert ended.wait(SECONDS)
        return "b"

    loader = threading.Thread(target=lambda: residency.load("second", 4, build))
    loader.start()
    assert building.wait(SECONDS)
    with residency.using("first"):
        pass
    # What is being built takes its room already.
    assert residency.facts().used == 8
    ended.set()
    loader.join()
    assert residency.get("second") == "b"


def test_no_progress_is_told_after_the_end(open_runner, monkeypatch):
    told = []
    monkeypatch.setattr(
        "workers.reporter.report_step", lambda attempt, **step: told.append("step")
    )
    monkeypatch.setattr(
        ending,
        "complete_job",
        lambda *a, real=ending.complete_job: (told.append("end"), real(*a))[1],
    )
    submit(make_rich("alice"), steps=8)
    assert open_runner().run_next()
    assert told == ["step"] * 8 + ["end"]


@pytest.mark.parametrize(
    ("choice", "device", "cores", "beside"),
    [
        ("auto", "cuda", 1, True),
        ("auto", "cpu", 2, True),
        ("auto", "cpu", 1, False),
        ("no", "cuda", 8, False),
        ("yes", "cpu", 1, True),
    ],
)
def test_a_pass_is_finished_beside_the_next_where_something_is_left_to_do_it(
    monkeypatch, choice, device, cores, beside
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert may_overlap(choice, device) is beside
