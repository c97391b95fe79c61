"""Pictures that people bring, over REST."""

from __future__ import annotations

from functools import partial
from itertools import chain

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from gallery import orphans, uploads
from gallery.models import Image
from gallery.upload_decoding import UploadsBusy
from gallery.uploads import upload_picture
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.core.storage.base import StorageUnavailable
from pingvas.core.storage.keys import IMAGES, PICTURES
from pingvas.core.storage.keys import UPLOADS as UPLOADS_FOLDER
from pingvas.core.turns import Turns
from tests.concurrency.racing import run_together
from tests.database import flush_as_administrator, owner_connection
from tests.gallery import files
from tests.gallery.files import opened, photo, saved
from tests.gallery.pictures import content, make_image, objects_of
from tests.gallery.test_images_api import client_of, code
from tests.gallery.test_orphans import tomorrow

__all__ = ["tomorrow"]
pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)

UPLOADS = "/api/v1/uploads"
PICTURE = saved(photo())


@pytest.fixture
def client(alice):
    return client_of(alice)


@pytest.fixture(autouse=True)
def without_queue(monkeypatch):
    """As many as the tests send at once."""
    turns = Turns(4, 100, busy=UploadsBusy, seconds=60)
    monkeypatch.setattr("gallery.upload_decoding.turns", lambda: turns)


def send(client, body=PICTURE, name="cat.png", kind="image/png", **headers):
    file = SimpleUploadedFile(name, body, content_type=kind)
    return client.post(UPLOADS, {"file": file}, headers=headers)


def rows(user):
    with acting_as(SERVICE):
        return list(Image.objects.filter(user=user))


def test_an_uploaded_picture_is_one_in_the_gallery(alice, client, store):
    answer = send(client)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["origin"], said["job_id"], said["metadata"]) == (
        "uploaded",
        None,
        None,
    )
    assert (said["width"], said["height"], said["format"]) == (48, 32, "png")
    assert client.get("/api/v1/images").json()["results"] == [said]
    [image] = rows(alice)
    assert opened(content(store, image.s3_key)).size == (48, 32)
    assert len(content(store, image.s3_key)) == said["file_size"]
    assert client.get(said["thumbnail_url"]).status_code == 200
    client.force_login(alice)
    assert client.get(f"/gallery/{image.id}").status_code == 200


def test_a_photo_is_saved_under_the_kind_that_it_has(client, local_store):
    said = send(client, saved(photo(), "WEBP")).json()
    answer = Client().get(client.get(said["download_url"])["Location"])
    assert said["format"] == "jpg"
    assert opened(answer.getvalue()).format == "JPEG"
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Disposition"].endswith('.jpg"')


REFUSALS = {
    "huge": (files.huge_png, 400, "upload_too_many_pixels"),
    "a GIF": (partial(saved, photo(), "GIF"), 400, "upload_not_a_picture"),
    "half": (lambda: PICTURE[:-100], 400, "upload_broken"),
    "moving": (partial(files.moving, "WEBP"), 400, "upload_animated"),
    "heavy": (lambda: b"x" * (LARGEST_PICTURE + 1), 413, "file_too_large"),
}


@pytest.mark.parametrize(("make", "status", "name"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_refused_says_why_and_leaves_nothing(
    alice, client, local_store, make, status, name
):
    english = send(client, make())
    korean = send(client, make(), **{"accept-language": "ko"})
    for answer in (english, korean):
        assert (answer.status_code, code(answer)) == (status, name)
    words = [answer.json()["error"]["message"] for answer in (english, korean)]
    assert words[0].isascii()
    assert not words[1].isascii()
    assert rows(alice) == []
    assert list(chain(*map(local_store.pages, PICTURES))) == []


def test_a_file_of_the_largest_size_is_looked_at(client, local_store):
    answer = send(client, PICTURE.ljust(LARGEST_PICTURE, b"\0"))
    assert answer.status_code == 201


def test_a_form_has_one_file_and_is_one(alice, client):
    two = [SimpleUploadedFile(name, PICTURE) for name in "ab"]
    missing = client.post(UPLOADS, {"picture": "words"})
    assert (missing.status_code, code(missing)) == (400, "invalid_request")
    assert set(missing.json()["error"]["fields"]) == {"file"}
    for form in ({"file": two}, {"file": two[0], "other": two[1]}):
        answer = client.post(UPLOADS, form)
        assert (answer.status_code, code(answer)) == (400, "invalid_request")
    json = client.post(UPLOADS, {"file": "x"}, content_type="application/json")
    assert json.status_code == 415
    assert client.get(UPLOADS).status_code == 405
    assert rows(alice) == []


def test_nobody_uploads_without_a_sign_in_or_from_another_site(alice, local_store):
    assert send(Client()).status_code == 401
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert send(browser).status_code == 403
    browser.get("/gallery")
    token = browser.cookies["csrftoken"].value
    assert send(browser, **{"x-csrftoken": token}).status_code == 201


def test_equal_bytes_of_one_user_are_one_picture(alice, bob, client, local_store):
    first, second = send(client), send(client, name="dog.png")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert send(client_of(bob)).status_code == 201
    assert send(client, saved(photo().rotate(180))).status_code == 201
    assert [len(rows(user)) for user in (alice, bob)] == [2, 1]


@committed
def test_what_was_deleted_may_be_brought_again(client, alice, store):
    first = send(client).json()
    assert client.delete(f"/api/v1/images/{first['id']}").status_code == 204
    again = send(client)
    assert again.status_code == 201
    [image] = rows(alice)
    assert objects_of(store, image) == [True, True]


def upload_together(user, count=8):
    """What many requests with the same bytes were answered."""
    return run_together([partial(upload_picture, user=user, content=PICTURE)] * count)


def all_come_too_late(monkeypatch):
    """As if each had looked before any other wrote."""
    find, seen = uploads._find, set()

    def find_nothing_first(user_id, sha256):
        from threading import get_ident

        if get_ident() in seen:
            return find(user_id, sha256)
        seen.add(get_ident())
        return None

    monkeypatch.setattr(uploads, "_find", find_nothing_first)


@committed
def test_of_equal_uploads_at_once_one_is_kept_and_all_are_told_of_it(
    alice, local_store, monkeypatch
):
    all_come_too_late(monkeypatch)
    answers = upload_together(alice)
    [image] = rows(alice)
    assert {answer.image.id for answer in answers} == {image.id}
    assert sum(answer.is_new for answer in answers) == 1
    assert objects_of(local_store, image) == [True, True]
    # The others removed their own again.
    assert sum(len(page) for page in local_store.pages(UPLOADS_FOLDER)) == 2


@committed
def test_control_without_the_unique_index_there_would_be_several(
    alice, local_store, monkeypatch
):
    all_come_too_late(monkeypatch)
    index = "images_uploaded_once"
    with owner_connection() as owner:
        (made,) = owner.execute(
            "SELECT pg_get_indexdef(%s::regclass)", [index]
        ).fetchone()
        owner.execute(f"DROP INDEX {index}")
        try:
            upload_together(alice)
            assert len(rows(alice)) > 1
        finally:
            flush_as_administrator()
            owner.execute(made)


def test_an_upload_that_dies_before_its_row_leaves_what_the_sweep_removes(
    alice, store, tomorrow, monkeypatch
):
    kept = upload_picture(user=alice, content=saved(photo(), "JPEG")).image
    made = make_image(alice)

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(uploads, "_insert_or_find", die)
    with pytest.raises(KeyboardInterrupt):
        upload_picture(user=alice, content=saved(photo(), "WEBP"))
    done = orphans.remove_orphans()
    assert (done.seen, done.orphans) == (6, 2)
    for image in (kept, made):
        assert objects_of(store, image) == [True, True]


def master_before(key):
    """As the version before found the master of an object: every one was a PNG."""
    if key.endswith(".thumb.webp"):
        return f"{key.removesuffix('.thumb.webp')}.png"
    return key


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_sweep_of_the_version_before_leaves_an_upload_whole(alice, store, kind):
    kept = upload_picture(user=alice, content=saved(photo(), kind)).image
    made = make_image(alice)
    swept = [each.key for page in store.pages(IMAGES) for each in page]
    assert len(swept) == 2
    assert {master_before(key) for key in swept} == {made.s3_key}
    assert objects_of(store, kept) == [True, True]


def test_a_store_that_is_away_keeps_nothing(alice, client, use_s3):
    use_s3(S3_ENDPOINT_URL="http://127.0.0.1:1")
    answer = send(client)
    assert (answer.status_code, code(answer)) == (503, StorageUnavailable.code)
    assert rows(alice) == []


def test_no_picture_is_decoded_in_a_transaction(client, local_store, monkeypatch):
    from pingvas.core.db.unit_of_work import refuse_open_unit_of_work

    prepare = uploads.prepare_upload

    def looking(content):
        refuse_open_unit_of_work()
        return prepare(content)

    monkeypatch.setattr(uploads, "prepare_upload", looking)
    assert send(client).status_code == 201
