"""A worker takes what it has the modules and the room for, whoever made the job."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db import connection

from generation.models import GenerationJob
from generation.services.schedule import claim_jobs
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from tests.concurrency.before import submit_before
from tests.concurrency.queue_world import (
    assert_queue_is_sound,
    claim,
    make_model,
    make_rich,
    offer,
    queue_job,
    submit,
)
from tests.concurrency.racing import THREADS, act_together

pytestmark = pytest.mark.django_db(transaction=True)

SMALL, LARGE = 2 * 10**9, 7 * 10**9


@pytest.fixture(autouse=True)
def models():
    make_model(file_size=SMALL)
    make_model("grand", base_model="sdxl", file_size=LARGE)


@pytest.fixture
def alice():
    return make_rich("alice", "studio")


def ids(jobs: list[GenerationJob]) -> list[Any]:
    return [job.id for job in jobs]


def test_what_a_job_needs_is_written_down_at_its_submission(alice):
    [job] = submit(alice, model="grand")
    with acting_as(SERVICE):
        AIModel.objects.filter(name="grand").update(base_model="flux", file_size=1)
        kept = GenerationJob.objects.get(id=job.id)
    assert (kept.lane, kept.needs, kept.needs_bytes) == ("gpu", ["base:sdxl"], LARGE)


def test_a_worker_without_a_module_passes_over_the_jobs_that_need_it(alice):
    first = queue_job(alice, model="grand", needs=["base:sdxl", "controlnet"])
    [other] = submit(alice)
    assert ids(claim(capabilities=["base:sd15", "base:sdxl"])) == [other.id]
    assert claim(capabilities=["base:sd15", "base:sdxl"]) == []
    able = ["base:sdxl", "controlnet", "hires"]
    assert ids(claim(capabilities=able)) == [first.id]
    assert_queue_is_sound()


@pytest.mark.parametrize("warm", [[], ["grand"]])
def test_neither_age_nor_priority_nor_a_loaded_model_makes_up_for_a_module(alice, warm):
    queue_job(alice, model="grand", needs=["base:sdxl"], priority=99)
    with acting_as(SERVICE):
        GenerationJob.objects.update(created_at="2020-01-01T00:00Z")
    assert claim(capabilities=["base:sd15"], warm_models=warm) == []


def test_a_worker_takes_no_checkpoint_that_it_cannot_hold(alice):
    [large] = submit(alice, model="grand")
    [small] = submit(alice)
    assert ids(claim(largest_bytes=LARGE - 1)) == [small.id]
    assert claim(largest_bytes=LARGE - 1) == []
    assert ids(claim(largest_bytes=LARGE)) == [large.id]


def test_a_worker_leaves_to_others_what_it_says(alice):
    [job] = submit(alice)
    assert claim(left_alone=["starter"]) == []
    assert ids(claim(left_alone=["grand"])) == [job.id]


def test_of_many_workers_at_once_only_those_with_the_module_take_the_jobs(settings):
    settings.TIER_OVERRIDES = {"studio": {"running": 50}}
    alice, bob = make_rich("alice", "studio"), make_rich("bob", "studio")
    for user in (alice, bob):
        for _ in range(5):
            submit(user, model="grand")
    able = [offer(capabilities=["base:sd15", "base:sdxl"]) for _ in range(2)]
    unable = [offer(capabilities=["base:sd15"]) for _ in range(THREADS - 2)]
    for _ in range(5):
        workers = [partial(claim_jobs, each) for each in (*unable, *able)]
        taken = act_together(SERVICE, workers)
        assert all(jobs == [] for jobs in taken[: len(unable)])
    with acting_as(SERVICE):
        running = GenerationJob.objects.filter(status="in_progress")
        assert {job.worker_id for job in running} == {each.worker_id for each in able}
    assert_queue_is_sound()


def test_a_job_of_the_version_before_needs_its_models_base_and_room(alice):
    submit_before(alice, model="grand")
    assert claim(capabilities=["base:sd15"]) == []
    assert claim(largest_bytes=SMALL) == []
    [job] = claim(capabilities=["base:sdxl"], largest_bytes=LARGE)
    assert (job.needs, job.needs_bytes) == (["base:sdxl"], LARGE)


def test_a_job_without_needs_is_anybodys(alice):
    # Its model is gone, or it was queued before there were needs.
    submit_before(alice, model="nobody knows it")
    [job] = claim(capabilities=["base:sd15"], largest_bytes=1)
    assert (job.needs, job.needs_bytes) == ([], 0)


def test_a_claim_looks_at_no_model(alice):
    asked = []

    def note(execute: Any, sql: str, *call: Any) -> Any:
        asked.append(sql)
        return execute(sql, *call)

    submit(alice)
    with connection.execute_wrapper(note):
        assert len(claim(capabilities=["base:sd15"], largest_bytes=SMALL)) == 1
    assert any("queue_shares" in sql for sql in asked)
    assert not any("ai_models" in sql for sql in asked)
