"""The object first, the row after."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from gallery.models import Image
from gallery.services import record_image
from gallery.storage import store_picture
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.storage.base import StorageUnavailable
from pingvas.core.storage.keys import thumbnail_key
from pingvas.core.storage.stores import object_store
from tests.gallery.pictures import content, encoded, make_job


def keys(store):
    return [each.key for page in store.pages("images") for each in page]


def test_a_stored_picture_is_what_its_record_says(store, settings):
    ours = {"user_id": uuid4(), "source_id": uuid4()}
    picture = store_picture(encoded(), **ours)
    body = content(store, picture.key)
    assert hashlib.sha256(body).hexdigest() == picture.sha256
    assert len(body) == picture.file_size
    assert picture.bucket == settings.STORAGE_BUCKET
    assert str(ours["user_id"]) in picture.key
    assert content(store, thumbnail_key(picture.key))[8:12] == b"WEBP"


def test_the_same_attempt_twice_is_one_object_that_is_whole(store):
    ours = {"user_id": uuid4(), "source_id": uuid4()}
    picture = store_picture(encoded(), **ours)
    # What a crash of an older writer could have left under this very key.
    store.put(picture.key, b"half", content_type="image/png")
    again = store_picture(encoded(), **ours)
    assert again == picture
    assert len(content(store, again.key)) == picture.file_size
    assert len(keys(store)) == 2


def test_attempts_that_store_at_once_leave_one_whole_object(store):
    ours = {"user_id": uuid4(), "source_id": uuid4()}
    picture = encoded()
    with ThreadPoolExecutor(6) as pool:
        stored = list(pool.map(lambda _: store_picture(picture, **ours), range(6)))
    assert len({each.key for each in stored}) == 1
    assert len(keys(store)) == 2
    assert hashlib.sha256(content(store, stored[0].key)).hexdigest() == picture.sha256


def test_other_pixels_never_replace_a_stored_picture(store):
    ours = {"user_id": uuid4(), "source_id": uuid4()}
    first = store_picture(encoded("red"), **ours)
    second = store_picture(encoded("blue"), **ours)
    assert first.key != second.key
    assert hashlib.sha256(content(store, first.key)).hexdigest() == first.sha256


@pytest.mark.django_db
def test_a_failed_upload_leaves_no_row(alice, use_s3):
    use_s3(S3_ENDPOINT_URL="http://127.0.0.1:1")
    job = make_job(alice)

    def store_and_record():
        picture = store_picture(encoded(), user_id=alice.id, source_id=job.id)
        record_image(job_id=job.id, user_id=alice.id, picture=picture)

    with acting_as(SERVICE):
        with pytest.raises(StorageUnavailable):
            store_and_record()
        assert not Image.objects.exists()


@pytest.mark.django_db
def test_a_master_is_only_there_together_with_its_thumbnail(local_store, monkeypatch):
    ours = {"user_id": uuid4(), "source_id": uuid4()}
    whole = type(local_store).put

    def cut_at_the_master(store, key, *args, **kwargs):
        if key.endswith(".png"):
            raise StorageUnavailable
        whole(store, key, *args, **kwargs)

    monkeypatch.setattr(type(local_store), "put", cut_at_the_master)
    with pytest.raises(StorageUnavailable):
        store_picture(encoded(), **ours)
    assert [key[-11:] for key in keys(object_store())] == [".thumb.webp"]
