"""How many bytes a user's pictures take: the same as a recount, whatever happens."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest
from django.db.models import Sum

from gallery.models import Image, PictureStorage, PictureStorageDelta
from gallery.services import delete_image
from gallery.usage import fold_picture_bytes, picture_bytes_of
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.sql import sql_pair
from pingvas.schedule import SCHEDULE
from tests.concurrency.racing import run_together
from tests.database import owner_connection
from tests.gallery.files import photo, saved
from tests.gallery.pictures import make_image
from tests.gallery.test_images_api import client_of, code
from tests.gallery.test_uploads import send

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def store(local_store):
    return local_store


def recount(user):
    with acting_as(SERVICE):
        images = Image.objects.filter(user=user)
        return images.aggregate(all=Sum("file_size"))["all"] or 0


def remove(user, image):
    with acting_as(user_actor(user.id)):
        delete_image(user_id=user.id, image_id=image.id)


def deltas():
    with acting_as(SERVICE):
        return PictureStorageDelta.objects.count()


def test_every_picture_counts_until_it_is_deleted(alice, bob):
    assert picture_bytes_of(alice.id) == 0
    first, second = make_image(alice), make_image(alice, size=(64, 64))
    make_image(bob)
    assert picture_bytes_of(alice.id) == first.file_size + second.file_size
    assert fold_picture_bytes() == 3
    assert deltas() == 0
    remove(alice, first)
    assert picture_bytes_of(alice.id) == second.file_size
    assert fold_picture_bytes() == 1
    assert picture_bytes_of(alice.id) == second.file_size == recount(alice)
    assert picture_bytes_of(bob.id) == recount(bob)


def test_many_at_once_are_one_delta_a_user(alice, bob):
    make_image(alice), make_image(alice), make_image(bob)
    fold_picture_bytes()
    with acting_as(SERVICE):
        Image.objects.all().delete()
    assert deltas() == 2
    assert [picture_bytes_of(user.id) for user in (alice, bob)] == [0, 0]


def test_a_picture_that_moves_to_another_account_counts_there(alice, bob):
    image = make_image(alice)
    with acting_as(SERVICE):
        Image.objects.filter(id=image.id).update(user=bob, job=None)
        Image.objects.filter(id=image.id).update(is_public=True, view_count=3)
    assert [picture_bytes_of(user.id) for user in (alice, bob)] == [0, image.file_size]
    assert deltas() == 3


@committed
def test_what_belongs_to_nobody_any_more_is_dropped(alice):
    make_image(alice)
    with owner_connection() as owner:
        owner.execute(
            "INSERT INTO picture_storage_deltas (user_id, bytes) VALUES (%s, 7)",
            [uuid4()],
        )
    assert fold_picture_bytes() == 2
    with acting_as(SERVICE):
        assert [row.user_id for row in PictureStorage.objects.all()] == [alice.id]


@committed
def test_the_number_is_a_recount_whoever_writes_and_folds_at_once(alice, bob):
    images = [make_image(alice) for _ in range(4)]

    def make_two(user):
        return [make_image(user) for _ in range(2)]

    results = run_together(
        [
            *(partial(make_two, user) for user in (alice, alice, bob)),
            *(partial(remove, alice, image) for image in images[:2]),
            *[fold_picture_bytes] * 3,
        ]
    )
    assert not [each for each in results if isinstance(each, Exception)]
    for _ in range(2):
        for user in (alice, bob):
            assert picture_bytes_of(user.id) == recount(user) > 0
        fold_picture_bytes()
    assert deltas() == 0


@committed
def test_what_was_there_before_the_triggers_is_counted_once(alice, bob):
    make_image(alice)
    with owner_connection() as owner:
        # As if no trigger had been there.
        owner.execute("DELETE FROM picture_storage_deltas")
        kept, gone = make_image(alice), make_image(bob)
        remove(bob, gone)
        fill = sql_pair("gallery/migrations/x.py", "picture_storage_filled").sql
        owner.execute(fill)
    assert picture_bytes_of(alice.id) == recount(alice) > kept.file_size
    assert picture_bytes_of(bob.id) == 0


def test_a_full_plan_takes_no_upload_and_keeps_all_that_is_there(alice, settings):
    kept = make_image(alice)
    limit = kept.file_size + 100
    settings.TIER_OVERRIDES = {"free": {"picture_bytes": limit}}
    client = client_of(alice)
    refused = send(client)
    assert (refused.status_code, code(refused)) == (403, "storage_full")
    assert refused.json()["error"]["used"] == kept.file_size
    assert refused.json()["error"]["limit"] == limit
    assert recount(alice) == kept.file_size
    # Pictures that are made go on.
    make_image(alice)
    settings.TIER_OVERRIDES = {"free": {"picture_bytes": None}}
    assert send(client).status_code == 201


def test_an_upload_that_is_there_already_is_found_in_a_full_plan_too(alice, settings):
    client = client_of(alice)
    picture = saved(photo())
    assert send(client, picture).status_code == 201
    settings.TIER_OVERRIDES = {"free": {"picture_bytes": 0}}
    assert send(client, picture).status_code == 200
    assert send(client, saved(photo().rotate(90))).status_code == 403


def test_the_folding_is_scheduled():
    assert "gallery.fold_picture_bytes" in {each.task for each in SCHEDULE}
