"""From a submission to a stored picture, with a real (tiny) pipeline in between."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.core.files.storage import default_storage
from PIL import Image as PillowImage

from billing.models import CreditHold, CreditTransaction
from gallery.models import Image
from gallery.services import delete_image
from generation.models import GenerationJob, ModelSpeed, Worker
from generation.services.lifecycle import cancel_job
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.redis import job_progress, job_status
from tests.cast import make_user
from tests.gallery.pictures import make_image
from tests.redis import redis_client
from tests.workers.jobs import read, submit

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_submission_becomes_a_stored_picture_and_a_charge(studio):
    alice = make_user("alice")
    [job] = submit(alice)
    assert studio.run_next()
    with acting_as(user_actor(alice.id)):
        job = GenerationJob.objects.get(id=job.id)
        image = Image.objects.get(job_id=job.id)
        posting = CreditTransaction.objects.get(job_id=job.id)
        hold = CreditHold.objects.get(job_id=job.id)
    assert (job.status, job.credits_consumed) == ("completed", 1)
    assert (posting.amount, hold.status) == (-1, "settled")
    phases = {"waiting", "loading", "denoising", "decoding", "encoding", "uploading"}
    assert set(job.timings) == phases
    with default_storage.open(image.s3_key) as file:
        content = file.read()
        assert hashlib.sha256(content).hexdigest() == image.sha256
    with default_storage.open(image.s3_key) as file:
        chunks = PillowImage.open(file).text
    assert json.loads(chunks["pingvas_metadata"])["seed"] == 7
    assert chunks["parameters"].startswith("작은 별\nSteps: 2, Sampler: Euler a")
    assert redis_client().get(job_status(job.id)) == "completed"
    assert json.loads(redis_client().get(job_progress(job.id)))["step"] == 2


def test_a_batch_is_one_pass_and_one_picture_each(studio):
    alice = make_user("alice")
    submit(alice, seeds=(1, 2, 3))
    assert studio.run_next()
    assert not studio.run_next()
    with acting_as(user_actor(alice.id)):
        jobs = GenerationJob.objects.order_by("batch_index")
        assert [(job.status, job.pass_size) for job in jobs] == [("completed", 3)] * 3
        seeds = {image.metadata["seed"] for image in Image.objects.all()}
    assert seeds == {1, 2, 3}


def test_the_speed_of_the_model_is_learnt_and_the_worker_is_known(studio):
    submit(make_user("alice"))
    studio.run_next()
    studio.beat()
    with acting_as(SERVICE):
        speed = ModelSpeed.objects.get()
        assert speed.step_milliseconds > 0
        assert speed.loading_milliseconds > 0
        assert Worker.objects.get().warm_models == ["tiny"]
    submit(make_user("bob"))
    studio.run_next()
    with acting_as(SERVICE):
        again = ModelSpeed.objects.get()
    # The model is resident: nothing was learnt of its loading.
    assert again.samples == 2
    assert again.loading_milliseconds == speed.loading_milliseconds


def test_a_job_cancelled_before_its_pass_costs_nothing(studio):
    alice = make_user("alice")
    [job] = submit(alice)
    with acting_as(user_actor(alice.id)):
        cancel_job(user_id=alice.id, job_id=job.id)
    assert not studio.run_next()
    with acting_as(user_actor(alice.id)):
        assert GenerationJob.objects.get().credits_consumed == 0


def with_picture(image):
    return {"advanced_params": {"version": 1, "init": {"image": str(image.id)}}}


def test_a_job_whose_picture_was_deleted_meanwhile_fails_and_costs_nothing(studio):
    alice = make_user("alice")
    image = make_image(alice)
    jobs = submit(alice, seeds=(1, 2), **with_picture(image))
    with acting_as(user_actor(alice.id)):
        delete_image(user_id=alice.id, image_id=image.id)
    assert studio.run_next()
    for ended in map(read, jobs):
        assert (ended.status, ended.error_code) == ("failed", "input_gone")
        assert ended.credits_consumed == 0
    with acting_as(user_actor(alice.id)):
        holds = CreditHold.objects.filter(job_id__in=[job.id for job in jobs])
        assert [hold.status for hold in holds] == ["released"] * 2
        assert not CreditTransaction.objects.filter(job_id__in=jobs).exists()


def test_a_job_whose_picture_is_there_goes_to_the_engine(studio):
    alice = make_user("alice")
    [job] = submit(alice, **with_picture(make_image(alice)))
    assert studio.run_next()
    assert read(job).error_code == "unsupported_settings"


def test_a_job_without_pictures_asks_for_none(studio, monkeypatch):
    monkeypatch.setattr("workers.inputs.has_lost_an_input", None)
    [job] = submit(make_user("alice"))
    assert studio.run_next()
    assert read(job).status == "completed"
