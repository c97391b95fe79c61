from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from accounts.tiers import Tier
from billing.services.grants import adjust_credits, read_balance
from gallery.models import Image
from gallery.services import StoredPicture
from generation.models import GenerationJob
from generation.services.lifecycle import (
    Finished,
    StaleAttempt,
    cancel_job,
    complete_job,
    fail_job,
)
from generation.services.schedule import WorkerOffer, attempt_of, claim_jobs
from generation.services.submit import submit_jobs
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.recipe.recipe import Recipe
from tests.cast import make_user

pytestmark = pytest.mark.django_db(transaction=True)
OFFER = WorkerOffer(worker_id=uuid4(), tiers=list(Tier.values))


@pytest.fixture(autouse=True)
def model():
    with acting_as(SERVICE):
        return AIModel.objects.create(
            name="starter",
            type="main",
            base_model="sd15",
            is_official=True,
            min_tier=None,
        )


def give(user, amount):
    with acting_as(SERVICE):
        adjust_credits(user_id=user.id, amount=amount, reason="test", staff_id=uuid4())


def submit(user, seeds=(7,), **over):
    recipe = Recipe(
        **{
            "model": "starter",
            "prompt": "a star",
            "width": 128,
            "height": 128,
            "seeds": seeds,
        }
        | over
    )
    with acting_as(user_actor(user.id)):
        return submit_jobs(user=user, recipe=recipe)


def claim():
    with acting_as(SERVICE):
        return claim_jobs(OFFER)


def finish(job, milliseconds=400):
    picture = StoredPicture(
        bucket="local",
        key=f"{job.id}.png",
        sha256="0" * 64,
        file_size=1,
        width=128,
        height=128,
        format="png",
        metadata={"prompt": job.prompt},
    )
    with acting_as(SERVICE):
        return complete_job(
            attempt_of(job),
            Finished(
                picture=picture,
                timings={"denoising": 1},
                billed_milliseconds=milliseconds,
                pass_size=1,
            ),
        )


def test_a_job_is_submitted_claimed_completed_and_charged():
    alice = make_user("alice")
    [job] = submit(alice)
    [claimed] = claim()
    assert (claimed.id, claimed.status, claimed.attempt) == (job.id, "in_progress", 1)
    finish(claimed)
    with acting_as(user_actor(alice.id)):
        done = GenerationJob.objects.get()
        assert (done.status, done.credits_consumed) == ("completed", 1)
        assert Image.objects.get().job_id == job.id
        assert read_balance(user_id=alice.id).balance == 299


def test_a_batch_is_claimed_in_one():
    alice = make_user("alice")
    jobs = submit(alice, seeds=(1, 2, 3, -1))
    assert [job.id for job in claim()] == [job.id for job in jobs]
    assert claim() == []


def test_the_running_limit_holds_until_a_job_ends():
    alice = make_user("alice")
    submit(alice)
    submit(alice)
    [first] = claim()
    assert claim() == []
    finish(first)
    assert len(claim()) == 1


def test_a_higher_tier_overtakes_every_waiting_job_of_a_lower_one():
    for name in ("bob", "carol"):
        submit(make_user(name))
    alice = make_user("alice", tier="studio")
    give(alice, 100)
    studio = submit(alice)
    assert claim()[0].id == studio[0].id


def test_a_stale_attempt_changes_nothing():
    alice = make_user("alice")
    submit(alice)
    [claimed] = claim()
    with acting_as(SERVICE):
        fail_job(attempt_of(claimed), code="broken_picture", message="black")
    with pytest.raises(StaleAttempt):
        finish(claimed)
    with acting_as(user_actor(alice.id)):
        assert not Image.objects.exists()
        assert read_balance(user_id=alice.id).available == 300


def test_a_waiting_job_is_cancelled_free_of_charge():
    alice = make_user("alice")
    [job] = submit(alice, cfg_scale=Decimal("3"))
    with acting_as(user_actor(alice.id)):
        assert cancel_job(user_id=alice.id, job_id=job.id).status == "cancelled"
        assert cancel_job(user_id=alice.id, job_id=job.id).status == "cancelled"
        assert read_balance(user_id=alice.id).available == 300
    assert claim() == []
