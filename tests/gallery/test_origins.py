"""Which pictures the gallery shows, and which somebody may see."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from gallery.models import Image, Origin
from gallery.selectors import gallery_of, readable_by
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.database import worker_connection
from tests.gallery.pictures import make_image
from tests.gallery.test_images_api import client_of

pytestmark = pytest.mark.django_db


def set_columns(image, **columns):
    with acting_as(SERVICE):
        Image.objects.filter(id=image.id).update(**columns)


@pytest.fixture
def pictures(alice, local_store):
    """One of alice's pictures of each origin."""
    found = {origin.value: make_image(alice) for origin in Origin}
    for origin, image in found.items():
        set_columns(image, origin=origin)
    return found


def test_masks_and_control_pictures_are_in_no_list(alice, pictures):
    shown = {str(pictures[origin].id) for origin in ("generated", "uploaded")}
    client = client_of(alice)
    listed = client.get("/api/v1/images").json()["results"]
    assert {image["id"] for image in listed} == shown
    assert {image["origin"] for image in listed} == {"generated", "uploaded"}
    client.force_login(alice)
    page = client.get("/gallery").content.decode()
    assert {id for id in map(str, _ids(pictures)) if id in page} == shown
    with acting_as(user_actor(alice.id)):
        assert gallery_of(alice).count() == 2


def _ids(pictures):
    return [image.id for image in pictures.values()]


def test_whoever_has_the_id_of_their_mask_gets_it(alice, pictures):
    mask = client_of(alice).get(f"/api/v1/images/{pictures['mask'].id}")
    assert (mask.status_code, mask.json()["origin"]) == (200, "mask")


def test_one_may_see_ones_own_and_public_pictures(alice, bob, pictures):
    public, private = make_image(bob), make_image(bob)
    set_columns(public, is_public=True)
    with acting_as(user_actor(alice.id)):
        seen = set(readable_by(alice).values_list("id", flat=True))
    assert seen == {*_ids(pictures), public.id}
    # The filter alone, without the policies.
    with acting_as(SERVICE):
        seen = set(readable_by(alice).values_list("id", flat=True))
        assert seen == {*_ids(pictures), public.id}
        assert private.id not in seen


def test_no_picture_has_an_origin_that_is_none(alice, pictures):
    with pytest.raises(IntegrityError, match="images_origin_check"):
        set_columns(pictures["mask"], origin="stolen")


@pytest.mark.django_db(transaction=True)
def test_what_the_version_before_inserts_was_made(alice):
    with worker_connection() as worker:
        worker.execute(
            "INSERT INTO images (user_id, s3_bucket, s3_key, width, height, file_size)"
            " VALUES (%s, 'local', 'images/x', 1, 1, 1)",
            [alice.id],
        )
    with acting_as(user_actor(alice.id)):
        assert [image.origin for image in gallery_of(alice)] == ["generated"]
