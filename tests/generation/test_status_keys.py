"""`job:{id}:status` says what became of a job, whoever changed it."""

from __future__ import annotations

import pytest

from accounts.tokens import spend_ws_ticket
from generation.models import MOST_ATTEMPTS
from generation.services.lifecycle import cancel_job, fail_job
from generation.services.progress import read_preview, read_progress
from generation.services.schedule import attempt_of
from generation.services.sweep import sweep
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.redis import (
    JOB_TTL_SECONDS,
    job_preview,
    job_progress,
    job_status,
    ws_ticket,
)
from tests.concurrency.queue_world import (
    claim,
    expire_lease,
    finish,
    make_model,
    make_rich,
    submit,
)
from tests.redis import redis_client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job():
    make_model()
    [job] = submit(make_rich("alice"))
    return job


def said(job):
    return redis_client().get(job_status(job.id))


def test_it_follows_a_job_to_its_picture_and_lives_for_an_hour(job):
    assert said(job) == "queued"
    [claimed] = claim()
    assert said(job) == "in_progress"
    finish(attempt_of(claimed))
    assert said(job) == "completed"
    assert 0 < redis_client().ttl(job_status(job.id)) <= JOB_TTL_SECONDS


def test_a_job_whose_worker_is_lost_waits_again_and_fails_in_the_end(job):
    for attempt in range(1, MOST_ATTEMPTS + 1):
        [claimed] = claim()
        assert (claimed.attempt, said(job)) == (attempt, "in_progress")
        expire_lease(job.id)
        assert sweep()["leases"] == 1
        assert said(job) == ("failed" if attempt == MOST_ATTEMPTS else "queued")


def test_a_job_that_fails_says_so(job):
    [claimed] = claim()
    with acting_as(SERVICE):
        fail_job(attempt_of(claimed), code="broken_picture", message="black")
    assert said(job) == "failed"


def test_a_job_that_is_cancelled_says_so(job):
    with acting_as(user_actor(job.user_id)):
        cancel_job(user_id=job.user_id, job_id=job.id)
    assert said(job) == "cancelled"


FOREIGN = [b"\xff\x80", b"{", b"[" * 100_000, b"words", b"7"]


@pytest.mark.parametrize("value", FOREIGN, ids=lambda value: str(value[:5]))
def test_what_no_worker_wrote_is_no_progress_and_no_preview(job, value):
    for name in (job_progress(job.id), job_preview(job.id)):
        redis_client().set(name, value)
    assert read_progress(job.id) is None
    assert read_preview(job.id) is None


@pytest.mark.parametrize("value", [b"\xff\x80", b"words", b"7"])
def test_a_ticket_that_nobody_gave_is_nobodys(value):
    redis_client().set(ws_ticket("made-up"), value)
    assert spend_ws_ticket("made-up") is None
