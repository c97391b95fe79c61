"""Real programs that die, stop and lose their servers in the middle of a job.

Each test ends with the books in order: every job ended once, one picture for each
completed one, nothing held, nobody charged for what was lost.
"""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from django.core.files.storage import default_storage

from gallery.models import Image
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.redis import job_progress, job_status
from tests.concurrency.fault_world import (
    LEASE_SECONDS,
    MODEL,
    World,
    is_alive,
    read_job,
    wait_for_end,
    wait_for_step,
    wait_until,
)
from tests.concurrency.queue_world import assert_queue_is_sound, make_rich, submit
from tests.redis import redis_client

pytestmark = pytest.mark.django_db(transaction=True)

# Long enough to be hit in the middle of its steps.
SLOW = {"model": MODEL, "width": 128, "height": 128, "steps": 60}
# Still at its steps when a worker has heard that it shall stop.
LONG = {"model": MODEL, "width": 192, "height": 192, "steps": 150}
QUICK = {"model": MODEL, "width": 64, "height": 64, "steps": 2}


@pytest.fixture(scope="module")
def world(tmp_path_factory, django_db_setup, django_db_blocker):
    world = World(tmp_path_factory.mktemp("faults"))
    with django_db_blocker.unblock():
        world.open()
        yield world
        world.close()


@pytest.fixture(autouse=True)
def studio(world):
    world.add_model()
    yield
    with acting_as(SERVICE):
        live = GenerationJob.objects.filter(status__in=("queued", "in_progress"))
        assert not live.exists()
        images = list(Image.objects.all())
    for image in images:
        with default_storage.open(image.s3_key) as file:
            assert hashlib.sha256(file.read()).hexdigest() == image.sha256
    assert_queue_is_sound()


def test_a_child_killed_in_mid_step_loses_nothing_but_time(world):
    [slow] = submit(make_rich("alice"), **SLOW)
    wait_for_step(slow)
    [behind] = submit(make_rich("bob"), **QUICK)
    world.worker.kill_child()
    [job] = wait_for_end(slow)
    assert (job.status, job.attempt) == ("completed", 2)
    assert wait_for_end(behind)[0].status == "completed"


def test_a_job_that_kills_its_worker_fails_after_three_attempts(world):
    [poison] = submit(make_rich("mallory"), **SLOW)
    behind = []
    for attempt in (1, 2, 3):
        wait_for_step(poison, attempt)
        behind += submit(make_rich(f"bob{attempt}"), **QUICK)
        world.worker.kill_child()
    [job] = wait_for_end(poison)
    assert (job.status, job.error_code, job.attempt) == ("failed", "worker_lost", 3)
    assert job.credits_consumed == 0
    assert {each.status for each in wait_for_end(*behind)} == {"completed"}


def test_a_worker_killed_as_a_whole_is_replaced_by_one_that_has_no_redis(world):
    [slow] = submit(make_rich("alice"), **SLOW)
    wait_for_step(slow)
    child = world.worker.kill()
    wait_until(lambda: not is_alive(child), "the child's end")
    world.servers.redis.stop()
    try:
        # Nothing can wake it: it looks by itself.
        world.worker.start()
        [job] = wait_for_end(slow)
    finally:
        world.servers.redis.start()
    assert (job.status, job.attempt) == ("completed", 2)


def test_a_worker_that_slept_for_two_leases_writes_nothing_of_the_lost_attempt(world):
    [slow] = submit(make_rich("alice"), **SLOW)
    wait_for_step(slow)
    world.worker.pause()
    wait_until(lambda: read_job(slow.id).status == "queued", "the lease's end")
    time.sleep(LEASE_SECONDS)
    world.worker.resume()
    [job] = wait_for_end(slow)
    assert (job.status, job.attempt) == ("completed", 2)


def test_losing_redis_in_mid_job_loses_neither_the_job_nor_the_next(world):
    alice = make_rich("alice")
    [slow] = submit(alice, **SLOW)
    wait_for_step(slow)
    redis_client().flushall()
    world.servers.redis.stop()
    time.sleep(1)
    world.servers.redis.start()
    [job] = wait_for_end(slow)
    assert (job.status, job.attempt) == ("completed", 1)
    [after] = submit(alice, **QUICK)
    assert wait_for_end(after)[0].status == "completed"
    # Redis is told after the commit that the row shows.
    wait_until(
        lambda: redis_client().get(job_status(after.id)) == "completed",
        "the status in Redis",
    )


def test_postgresql_restarted_under_load_loses_no_job(world):
    users = [make_rich(f"user{n}", "starter") for n in range(4)]
    [slow] = submit(users[0], **SLOW)
    jobs = [job for user in users for job in submit(user, (1, 2), **QUICK)]
    wait_for_step(slow)
    world.servers.postgres.stop()
    world.servers.postgres.start()
    ended = wait_for_end(slow, *jobs)
    assert {job.status for job in ended} == {"completed"}


@pytest.mark.parametrize("group", [False, True])
def test_a_worker_that_is_told_to_stop_gives_its_job_back_untried(world, group):
    [slow] = submit(make_rich("alice"), **LONG)
    wait_for_step(slow)
    seconds = world.worker.terminate(group=group)
    try:
        back = read_job(slow.id)
        assert (back.status, back.attempt) == ("queued", 0)
        # Neither the lease nor Celery's own patience has run out.
        assert seconds < 15
    finally:
        world.worker.start()
    [job] = wait_for_end(slow)
    assert (job.status, job.attempt) == ("completed", 1)


@pytest.fixture
def overlapping(world):
    """The worker, finishing passes beside the next ones' steps."""
    world.worker.terminate(group=False)
    world.worker.start(WORKER_OVERLAP="yes")
    yield world
    world.media.come_back()
    world.worker.terminate(group=False)
    world.worker.start()


def wait_for_last_step(job):
    def has_drawn():
        progress = json.loads(str(redis_client().get(job_progress(job.id)) or "{}"))
        return progress.get("step") == job.steps

    wait_until(has_drawn, "the last step")


def test_a_picture_waits_for_a_store_that_is_away(overlapping):
    [job] = submit(make_rich("alice"), **QUICK)
    wait_until(lambda: read_job(job.id).status == "completed", "a warm model")
    overlapping.media.leave()
    [job] = submit(make_rich("bob"), **QUICK)
    wait_for_last_step(job)
    # Longer than a lease, which is renewed meanwhile.
    time.sleep(1.5 * LEASE_SECONDS)
    assert (read_job(job.id).status, read_job(job.id).attempt) == ("in_progress", 1)
    overlapping.media.come_back()
    [job] = wait_for_end(job)
    assert (job.status, job.attempt) == ("completed", 1)


def test_a_child_killed_while_a_picture_is_being_saved_loses_nothing(overlapping):
    [job] = submit(make_rich("alice"), **QUICK)
    wait_until(lambda: read_job(job.id).status == "completed", "a warm model")
    overlapping.media.leave()
    [job] = submit(make_rich("bob"), **QUICK)
    wait_for_last_step(job)
    overlapping.worker.kill_child()
    overlapping.media.come_back()
    [job] = wait_for_end(job)
    assert (job.status, job.attempt) == ("completed", 2)
    with acting_as(SERVICE):
        assert Image.objects.filter(job_id=job.id).count() == 1
