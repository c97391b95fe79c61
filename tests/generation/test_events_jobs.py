"""What a user is told while a job lives: every type of event about jobs and credits."""

from __future__ import annotations

import pytest

from billing.services.grants import read_balance
from generation.services.lifecycle import cancel_job, fail_job
from generation.services.progress import report_step
from generation.services.schedule import attempt_of
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.cast import make_user
from tests.generation.event_socket import in_thread, open_socket
from tests.generation.test_job_life import claim, finish, model, submit

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["model"]


@pytest.fixture
def alice():
    user = make_user("alice")
    with acting_as(user_actor(user.id)):
        # The free month is granted now, not in the middle of a test.
        read_balance(user_id=user.id)
    return user


async def told(client, count):
    """The next frames by type, and the job that each is about."""
    frames = await client.frames(count)
    return {frame["type"]: frame for frame in frames}


async def test_submitting_a_job_is_told_with_its_hold_and_the_credits(alice):
    async with open_socket(alice) as client:
        [job] = await in_thread(submit, alice)
        frames = await client.frames(2)
    told = {frame["type"]: frame for frame in frames}
    assert told["job.queued"]["job_id"] == str(job.id)
    assert told["job.queued"]["data"] == {
        "status": "queued",
        "submission_id": str(job.batch_id),
        "batch_id": str(job.batch_id),
        "hold": job.quoted_credits,
        "attempt": 0,
    }
    available = 300 - job.quoted_credits
    assert told["credits.changed"]["data"]["available"] == available


async def test_a_job_is_followed_from_its_start_to_its_picture(alice):
    [job] = await in_thread(submit, alice)
    about = {"submission_id": str(job.batch_id), "batch_id": str(job.batch_id)}
    async with open_socket(alice) as client:
        [claimed] = await in_thread(claim)
        attempt = attempt_of(claimed)
        await in_thread(report_step, attempt, step=1, total=20, preview=False)
        await in_thread(finish, claimed)
        frames = await told(client, 4)
    assert {f["job_id"] for t, f in frames.items() if t.startswith("job.")} == {
        str(job.id)
    }
    assert frames["job.started"]["data"] == {
        "status": "in_progress",
        "phase": "loading",
        "attempt": 1,
        **about,
    }
    assert frames["job.progress"]["data"] == {
        "step": 1,
        "total_steps": 20,
        "preview_url": None,
    }
    completed = frames["job.completed"]["data"]
    assert completed.pop("image_id")
    assert completed == {
        "status": "completed",
        "charge": 1,
        "released": job.quoted_credits - 1,
        **about,
    }
    assert frames["credits.changed"]["data"] == {
        "balance": 299,
        "held": 0,
        "available": 299,
    }


async def test_a_failed_job_is_told_with_its_reason_and_its_released_credits(alice):
    [job] = await in_thread(submit, alice)
    [claimed] = await in_thread(claim)

    def fail():
        with acting_as(SERVICE):
            fail_job(attempt_of(claimed), code="broken_picture", message="black")

    async with open_socket(alice) as client:
        await in_thread(fail)
        frames = await told(client, 2)
    assert frames["job.failed"]["data"] == {
        "status": "failed",
        "submission_id": str(job.batch_id),
        "batch_id": str(job.batch_id),
        "code": "broken_picture",
        "message": "black",
        "charge": 0,
        "released": job.quoted_credits,
    }
    assert frames["credits.changed"]["data"]["available"] == 300


async def test_a_cancelled_job_is_told(alice):
    [job] = await in_thread(submit, alice)

    def cancel():
        with acting_as(user_actor(alice.id)):
            cancel_job(user_id=alice.id, job_id=job.id)

    async with open_socket(alice) as client:
        await in_thread(cancel)
        frames = await told(client, 2)
    assert frames["job.cancelled"]["data"] == {
        "status": "cancelled",
        "submission_id": str(job.batch_id),
        "batch_id": str(job.batch_id),
        "charge": 0,
        "released": job.quoted_credits,
    }
