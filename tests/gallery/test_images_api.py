"""Pictures over REST: one's own, and nobody else's."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.core import signing
from django.test import Client
from PIL import Image as PillowImage

from accounts.tokens import issue_tokens
from billing.models import CreditTransaction
from gallery.models import Board, BoardImage, Image
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.storage import local_links
from pingvas.core.storage.keys import thumbnail_key
from tests.gallery.pictures import (
    METADATA,
    content,
    make_image,
    objects_of,
)

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)

IMAGES = "/api/v1/images"


def client_of(user):
    token = issue_tokens(user=user).access
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def client(alice):
    return client_of(alice)


def code(response):
    return response.json()["error"]["code"]


def test_a_picture_says_everything_that_made_it(alice, client, local_store):
    image = make_image(alice)
    answer = client.get(f"{IMAGES}/{image.id}").json()
    assert answer["metadata"] == METADATA
    assert (answer["width"], answer["height"], answer["format"]) == (48, 32, "png")
    assert answer["thumbnail_url"] == f"{IMAGES}/{image.id}/thumbnail"
    assert answer["download_url"] == f"{IMAGES}/{image.id}/download"
    assert answer["sha256"] == image.sha256
    assert "s3_key" not in answer
    assert "s3_bucket" not in answer


# Rows of one transaction would all be of one moment.
@committed
def test_pictures_are_listed_newest_first_page_by_page(alice, client, local_store):
    images = [make_image(alice, seed=seed) for seed in range(5)]
    first = client.get(f"{IMAGES}?limit=3").json()
    second = client.get(f"{IMAGES}?limit=3&after={first['next']}").json()
    ids = [each["id"] for each in first["results"] + second["results"]]
    assert ids == [str(image.id) for image in reversed(images)]
    assert second["next"] is None


def test_the_list_is_of_ones_own_pictures_even_when_others_are_public(
    alice, bob, client, local_store
):
    theirs = make_image(bob)
    with acting_as(SERVICE):
        Image.objects.filter(id=theirs.id).update(is_public=True)
    mine = make_image(alice)
    listed = client.get(IMAGES).json()["results"]
    assert [each["id"] for each in listed] == [str(mine.id)]


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("delete", ""), ("get", "/thumbnail"), ("get", "/download")],
)
def test_a_strangers_picture_is_not_there(
    alice, bob, local_store, method, path, public
):
    image = make_image(bob)
    with acting_as(SERVICE):
        Image.objects.filter(id=image.id).update(is_public=public)
    response = getattr(client_of(alice), method)(f"{IMAGES}/{image.id}{path}")
    assert (response.status_code, code(response)) == (404, "not_found")
    assert objects_of(local_store, image) == [True, True]


@pytest.mark.parametrize("path", ["", "/x", "/x/thumbnail", "/x/download"])
def test_nobody_gets_anything_without_signing_in(alice, local_store, path):
    image = make_image(alice)
    response = Client().get(IMAGES + path.replace("x", str(image.id)))
    assert (response.status_code, code(response)) == (401, "not_signed_in")


def test_an_id_that_was_never_given_out_is_not_found(client):
    response = client.get(f"{IMAGES}/{uuid4()}")
    assert (response.status_code, code(response)) == (404, "not_found")


def test_the_thumbnail_is_small_webp_for_its_owners_browser_alone(alice, client, store):
    image = make_image(alice, size=(1200, 600))
    response = client.get(f"{IMAGES}/{image.id}/thumbnail")
    picture = PillowImage.open(io.BytesIO(response.content))
    assert (picture.format, picture.size) == ("WEBP", (384, 192))
    assert response["Content-Type"] == "image/webp"
    assert response["Cache-Control"].startswith("private, ")
    assert {"Authorization", "Cookie"} <= set(response["Vary"].split(", "))
    assert response["X-Content-Type-Options"] == "nosniff"
    # Nothing of the prompt travels with it.
    assert "exif" not in picture.info
    assert "작은 별".encode() not in response.content


def test_a_known_thumbnail_is_not_sent_again(alice, client, local_store):
    image = make_image(alice)
    first = client.get(f"{IMAGES}/{image.id}/thumbnail")
    again = client.get(
        f"{IMAGES}/{image.id}/thumbnail", headers={"If-None-Match": first["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    other = client.get(
        f"{IMAGES}/{image.id}/thumbnail", headers={"If-None-Match": '"other"'}
    )
    assert other.status_code == 200


def test_a_strict_accept_header_gets_the_thumbnail_and_json_refusals(
    alice, client, local_store
):
    image = make_image(alice)
    accept = {"Accept": "image/webp"}
    good = client.get(f"{IMAGES}/{image.id}/thumbnail", headers=accept)
    assert good["Content-Type"] == "image/webp"
    bad = client.get(f"{IMAGES}/{uuid4()}/thumbnail", headers=accept)
    assert code(bad) == "not_found"


def test_a_lost_thumbnail_is_an_honest_404(alice, client, store):
    image = make_image(alice)
    store.delete([thumbnail_key(image.s3_key)])
    response = client.get(f"{IMAGES}/{image.id}/thumbnail")
    assert (response.status_code, code(response)) == (404, "object_missing")


def test_a_local_download_is_the_master_under_a_readable_name(
    alice, client, local_store
):
    image = make_image(alice)
    redirect = client.get(f"{IMAGES}/{image.id}/download")
    assert redirect.status_code == 302
    assert "no-store" in redirect["Cache-Control"]
    # The link alone is the key: a browser follows it without our headers.
    response = Client().get(redirect["Location"])
    body = b"".join(response.streaming_content)
    assert body == content(local_store, image.s3_key)
    assert response["Content-Type"] == "image/png"
    assert int(response["Content-Length"]) == len(body)
    assert "no-store" in response["Cache-Control"]
    day = f"{image.created_at:%Y%m%d-%H%M%S}"
    name = f"pingvas_{day}_starter_4294967295_{image.id.hex[:8]}.png"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'


def test_a_local_link_expires_after_five_minutes(
    alice, client, local_store, monkeypatch
):
    image = make_image(alice)
    now = local_links.time.time()
    link = client.get(f"{IMAGES}/{image.id}/download")["Location"]
    monkeypatch.setattr(local_links.time, "time", lambda: now + 290)
    fresh = Client().get(link)
    assert fresh.status_code == 200
    fresh.close()
    monkeypatch.setattr(local_links.time, "time", lambda: now + 302)
    late = Client().get(link)
    assert (late.status_code, code(late)) == (403, "link_expired")


def test_a_local_link_cannot_be_made_up_or_turned_to_another_file(
    alice, client, local_store
):
    image = make_image(alice)
    link = client.get(f"{IMAGES}/{image.id}/download")["Location"]
    (token,) = parse_qs(urlsplit(link).query)["token"]
    forged = signing.dumps([image.s3_key, "x.png", 2**40], salt="another purpose")
    for wrong in ("", "x", token[:-1], forged, token.replace(":", "", 1)):
        response = Client().get(f"{IMAGES}/file", {"token": wrong})
        assert (response.status_code, code(response)) == (403, "link_expired")


OUTSIDE = ["../secrets", "/etc/passwd", "images", "images/none", "images/\0.png"]


@pytest.mark.parametrize("key", OUTSIDE)
def test_no_link_leads_out_of_the_store(local_store, key):
    token = local_links.sign_download(key, "x.png", seconds=60)
    response = Client().get(f"{IMAGES}/file", {"token": token})
    assert (response.status_code, code(response)) == (404, "object_missing")


@pytest.mark.parametrize(
    "content",
    [
        "words",
        7,
        ["images/a.png", "x.png"],
        ["images/a.png", "x.png", "later"],
        [7, "x.png", 2**40],
        ["images/a.png", "two\nlines.png", 2**40],
    ],
)
def test_a_link_of_ours_that_says_something_else_is_over(local_store, content):
    token = signing.dumps(content, salt=local_links.SALT)
    response = Client().get(f"{IMAGES}/file", {"token": token})
    assert (response.status_code, code(response)) == (403, "link_expired")


def test_an_s3_download_goes_to_a_short_lived_presigned_link(alice, client, use_s3):
    store = use_s3()
    image = make_image(alice)
    link = client.get(f"{IMAGES}/{image.id}/download")["Location"]
    query = parse_qs(urlsplit(link).query)
    assert urlsplit(link).path.endswith(image.s3_key)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert int(query["X-Amz-Expires"][0]) <= 300
    assert query["response-content-type"] == ["image/png"]
    (disposition,) = query["response-content-disposition"]
    assert disposition.startswith('attachment; filename="pingvas_')
    assert METADATA["prompt"].split()[0] not in link
    answer = follow(link)
    assert answer["body"] == content(store, image.s3_key)
    assert answer["headers"]["Content-Disposition"] == disposition


def follow(link):
    from urllib.request import urlopen

    with urlopen(link) as answer:  # noqa: S310  # the store on this machine
        return {"body": answer.read(), "headers": answer.headers}


def test_local_tokens_open_nothing_once_the_store_is_s3(alice, client, use_s3):
    token = local_links.sign_download("images/a/b/c.png", "x.png", seconds=60)
    use_s3()
    assert code(Client().get(f"{IMAGES}/file", {"token": token})) == "link_expired"


def test_nothing_below_the_media_folder_has_a_public_address(alice, local_store):
    image = make_image(alice)
    for start in ("/media/", "/", "/static/"):
        assert Client().get(start + image.s3_key).status_code == 404


@committed
def test_a_deleted_picture_is_gone_with_its_objects_and_the_job_stays(
    alice, client, store
):
    image = make_image(alice)
    assert objects_of(store, image) == [True, True]
    assert client.delete(f"{IMAGES}/{image.id}").status_code == 204
    assert objects_of(store, image) == [False, False]
    assert client.get(f"{IMAGES}/{image.id}").status_code == 404
    assert client.get(f"{IMAGES}/{image.id}/thumbnail").status_code == 404
    assert client.delete(f"{IMAGES}/{image.id}").status_code == 404
    with acting_as(user_actor(alice.id)):
        assert GenerationJob.objects.filter(id=image.job_id).exists()


def test_deleting_a_picture_leaves_the_ledger_as_it_is(alice, client, local_store):
    image = make_image(alice)
    with acting_as(SERVICE):
        before = list(CreditTransaction.objects.order_by("id").values())
    client.delete(f"{IMAGES}/{image.id}")
    with acting_as(SERVICE):
        assert list(CreditTransaction.objects.order_by("id").values()) == before


def test_a_deleted_picture_leaves_its_boards(alice, client, local_store):
    image = make_image(alice)
    with acting_as(user_actor(alice.id)):
        board = Board.objects.create(user=alice, name="b", cover_image=image)
        BoardImage.objects.create(board=board, image=image)
    client.delete(f"{IMAGES}/{image.id}")
    with acting_as(user_actor(alice.id)):
        assert Board.objects.get().cover_image_id is None
        assert not BoardImage.objects.exists()


@committed
def test_of_two_who_delete_at_once_one_is_told_that_it_is_gone(alice, local_store):
    image = make_image(alice)
    clients = [client_of(alice), client_of(alice)]
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda c: c.delete(f"{IMAGES}/{image.id}"), clients)
    assert sorted(answer.status_code for answer in answers) == [204, 404]


@committed
def test_while_the_store_is_away_lists_and_deletions_go_on(alice, client, use_s3):
    use_s3()
    image = make_image(alice)
    use_s3(S3_ENDPOINT_URL="http://127.0.0.1:1")
    assert client.get(f"{IMAGES}/{image.id}").status_code == 200
    thumbnail = client.get(f"{IMAGES}/{image.id}/thumbnail")
    assert (thumbnail.status_code, code(thumbnail)) == (503, "storage_unavailable")
    assert client.delete(f"{IMAGES}/{image.id}").status_code == 204
    assert client.get(f"{IMAGES}/{image.id}").status_code == 404
