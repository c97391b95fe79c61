"""Which pictures a job reads: its user's own and public ones, whoever writes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from psycopg.errors import InsufficientPrivilege

from billing.models import CreditHold
from gallery.models import Image
from gallery.services import delete_image
from generation.models import GenerationJob, InputRole, JobInput
from generation.services import inputs
from generation.services.inputs import (
    InputNotFound,
    NamedInput,
    has_lost_an_input,
    record_inputs,
)
from generation.services.submit import quote_jobs, submit_jobs
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.statements import Statement
from pingvas.recipe.recipe import Recipe
from tests.cast import make_user
from tests.database import admin_connection, app_connection
from tests.gallery.pictures import make_image, make_job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def store(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def bobs():
    """A private picture of somebody else's."""
    return make_image(make_user("bob"))


def publish(image):
    with acting_as(SERVICE):
        Image.objects.filter(pk=image.pk).update(is_public=True)


def record(user, job, *images, role=InputRole.CONTROL):
    inputs = [NamedInput(image, role, number) for number, image in enumerate(images)]
    with acting_as(user_actor(user.id)):
        record_inputs(user=user, job_ids=[job.id], inputs=inputs)


def inputs_of(user, job):
    with acting_as(user_actor(user.id)):
        rows = JobInput.objects.filter(job=job).order_by("position")
        return [(row.role, row.image_id) for row in rows]


def test_a_job_reads_its_users_pictures_and_public_ones(alice, bobs):
    own, job = make_image(alice), make_job(alice)
    publish(bobs)
    record(alice, job, own.id, bobs.id)
    assert inputs_of(alice, job) == [("control", own.id), ("control", bobs.id)]


def test_what_its_user_may_not_see_is_not_there(alice, bobs):
    own, job = make_image(alice), make_job(alice)
    for missing in (bobs.id, uuid4()):
        with pytest.raises(InputNotFound) as refused:
            record(alice, job, own.id, missing)
        assert refused.value.data == {"images": [str(missing)]}
    assert inputs_of(alice, job) == []


def test_the_house_cannot_give_a_job_another_users_private_picture(alice, bobs):
    job = make_job(alice)
    refused = pytest.raises(IntegrityError, match="another user's private picture")
    with refused, acting_as(SERVICE):
        JobInput.objects.create(job=job, role="init", image=bobs)
    publish(bobs)
    with acting_as(SERVICE):
        JobInput.objects.create(job=job, role="init", image=bobs)


def test_nobody_sees_or_writes_anothers_inputs(alice):
    job, bob = make_job(alice), make_user("bob")
    record(alice, job, make_image(alice).id)
    assert inputs_of(bob, job) == []
    with app_connection() as web, pytest.raises(InsufficientPrivilege):
        web.execute("DELETE FROM job_inputs")


def test_a_picture_that_is_deleted_leaves_a_gap_and_the_job(alice):
    own, other, job = make_image(alice), make_image(alice), make_job(alice)
    record(alice, job, own.id, other.id)
    with acting_as(user_actor(alice.id)):
        assert not has_lost_an_input(job.id)
        delete_image(user_id=alice.id, image_id=own.id)
        assert has_lost_an_input(job.id)
    assert inputs_of(alice, job) == [("control", None), ("control", other.id)]


def test_a_job_that_goes_takes_its_inputs_along_and_no_picture(alice):
    own, job = make_image(alice), make_job(alice)
    record(alice, job, own.id)
    with acting_as(SERVICE):
        GenerationJob.objects.filter(id=job.id).delete()
        assert not JobInput.objects.exists()
        assert Image.objects.filter(id=own.id).exists()


def test_a_role_is_one_of_four(alice):
    job, own = make_job(alice), make_image(alice)
    refused = pytest.raises(IntegrityError, match="job_inputs_role_check")
    with refused, acting_as(SERVICE):
        JobInput.objects.create(job=job, role="model", image=own)


# -- While the picture goes


def wait_for_a_blocked_one(blocker):
    """Until somebody waits for what the database process `blocker` has locked."""
    deadline = time.monotonic() + 30
    asked = "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    with admin_connection() as admin:
        while not admin.execute(asked, [blocker]).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def record_and_close(*args):
    try:
        record(*args)
    finally:
        connection.close()


@contextmanager
def recording_meanwhile(user, job, *images):
    """The block's change is there for nobody yet when another looks at the pictures."""
    with ThreadPoolExecutor(1) as threads:
        with acting_as(SERVICE):
            yield
            recorded = threads.submit(record_and_close, user, job, *images)
            wait_for_a_blocked_one(connection.connection.info.backend_pid)
        recorded.result()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "let_go",
    [lambda picture: picture.delete(), lambda picture: picture.update(is_public=False)],
    ids=["deleted", "private"],
)
def test_a_picture_that_goes_while_it_is_named_is_not_found(alice, bobs, let_go):
    publish(bobs)
    job = make_job(alice)
    with (
        pytest.raises(InputNotFound),
        recording_meanwhile(alice, job, bobs.id),
    ):
        let_go(Image.objects.filter(id=bobs.id))
    assert inputs_of(alice, job) == []


@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_the_database_refuses(alice, bobs, monkeypatch):
    unlocked = Statement(inputs._LOCK.text.replace("FOR SHARE", ""))
    monkeypatch.setattr(inputs, "_LOCK", unlocked)
    publish(bobs)
    job = make_job(alice)
    with (
        pytest.raises(IntegrityError),
        recording_meanwhile(alice, job, bobs.id),
    ):
        Image.objects.filter(id=bobs.id).delete()


# -- At submission


@pytest.fixture
def model():
    with acting_as(SERVICE):
        AIModel.objects.create(
            name="tiny", type="main", base_model="sd15", is_official=True, min_tier=None
        )


def wish(**advanced):
    return Recipe(
        model="tiny",
        prompt="a star",
        width=64,
        height=64,
        advanced_params={"version": 1, **advanced},
    )


def submit(user, **advanced):
    with acting_as(user_actor(user.id)):
        return submit_jobs(user=user, recipe=wish(**advanced))


def quote(user, **advanced):
    with acting_as(user_actor(user.id)):
        return quote_jobs(user=user, recipe=wish(**advanced))


def test_a_submission_notes_every_picture_that_its_recipe_names(alice, bobs, model):
    first, second = make_image(alice), bobs
    publish(second)
    [job] = submit(
        alice,
        init={"image": str(first.id)},
        controls=[
            {"model": "edges", "image": str(first.id)},
            {"model": "depth", "image": str(second.id)},
        ],
    )
    with acting_as(user_actor(alice.id)):
        found = JobInput.objects.filter(job=job).order_by("role", "position")
        assert [(row.role, row.position, row.image_id) for row in found] == [
            ("control", 0, first.id),
            ("control", 1, second.id),
            ("init", 0, first.id),
        ]


def test_a_submission_with_a_picture_that_is_not_to_be_seen_is_none(alice, bobs, model):
    with pytest.raises(InputNotFound):
        submit(alice, init={"image": str(bobs.id)})
    with acting_as(SERVICE):
        assert not GenerationJob.objects.filter(user_id=alice.id).exists()
        assert not CreditHold.objects.filter(user_id=alice.id).exists()


def test_a_price_is_told_of_what_would_be_submitted_alone(alice, bobs, model):
    with pytest.raises(InputNotFound) as refused:
        quote(alice, init={"image": str(bobs.id)})
    assert refused.value.data == {"images": [str(bobs.id)]}
    publish(bobs)
    assert quote(alice, init={"image": str(bobs.id)}) == quote(alice)


def test_a_price_without_pictures_asks_for_none(alice, model, monkeypatch):
    monkeypatch.setattr("generation.services.submit.refuse_unseen", None)
    assert quote(alice).credits
