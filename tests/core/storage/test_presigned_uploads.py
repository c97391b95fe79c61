"""Links by which a browser puts a file straight into the store."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit
from urllib.request import Request, urlopen

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.files.storage import default_storage

from pingvas.asgi import application
from pingvas.core.serving import refusals
from pingvas.core.storage import local_links
from tests.core.storage.test_object_stores import keys
from tests.gallery.pictures import content

KEY = "models/ada/one/part"
BODY = b"0123456789" * 20_000
TYPE = "application/x-safetensors"


@pytest.fixture(autouse=True)
def linger_shortly(monkeypatch):
    monkeypatch.setattr(refusals, "LINGER_SECONDS", 0.05)


def presign(store, **over):
    values = {"content_type": TYPE, "size": len(BODY), "seconds": 60}
    return store.presign_upload(KEY, **(values | over))


async def send(link, *chunks, method="PUT", leaves=False, **headers):
    """Status and body of the studio's own answer to what is sent by the link."""
    parts = urlsplit(link.url)
    said = {"content-type": TYPE, **headers}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in said.items()
        ],
        "client": ("192.0.2.1", 4711),
    }
    client = ApplicationCommunicator(application, scope)
    for number, chunk in enumerate(chunks, start=1):
        more = leaves or number < len(chunks)
        await client.send_input(
            {"type": "http.request", "body": chunk, "more_body": more}
        )
    if leaves:
        await client.send_input({"type": "http.disconnect"})
        await client.wait(10)
        return None, ""
    head = await client.receive_output(10)
    answer = json.loads((await client.receive_output(10))["body"])
    await client.wait(10)
    return head["status"], answer.get("error", {}).get("code", "")


async def test_a_local_link_takes_the_file_it_was_made_for(local_store):
    link = presign(local_store)
    assert link.headers == {"Content-Type": TYPE}
    halves = BODY[:70_000], BODY[70_000:]
    assert await send(link, *halves, content_length=str(len(BODY))) == (200, "")
    assert content(local_store, KEY) == BODY
    assert keys(local_store, "models") == [KEY]


@pytest.mark.parametrize(
    ("chunks", "sent"),
    {
        "a length that says more": ([BODY], {"content_length": str(len(BODY) + 1)}),
        "a length that says less": ([BODY], {"content_length": "10"}),
        "more bytes than signed": ([BODY, b"x"], {"transfer_encoding": "chunked"}),
        "fewer bytes than signed": ([BODY[1:]], {"transfer_encoding": "chunked"}),
        "another type": ([BODY], {"content_type": "text/html"}),
        "a form": ([BODY], {"method": "POST"}),
    }.values(),
)
async def test_a_local_link_takes_nothing_else(local_store, chunks, sent):
    assert await send(presign(local_store), *chunks, **sent) == (403, "other_upload")
    assert keys(local_store, "models") == []


async def test_what_a_client_that_left_had_sent_is_gone(local_store):
    link = presign(local_store)
    await send(link, BODY[:100], content_length=str(len(BODY)), leaves=True)
    assert keys(local_store, "models") == []


async def test_a_client_that_does_not_go_on_is_left(local_store, settings):
    settings.CLIENT_GRACE_SECONDS = 0
    link = presign(local_store)
    assert await send(link, content_length="200000") == (408, "request_too_slow")
    assert keys(local_store, "models") == []


async def test_an_upload_link_expires_and_cannot_be_made_up(local_store, monkeypatch):
    link = presign(local_store)
    reading = local_links.sign_download(KEY, "x.png", seconds=60)
    for token in ("", "x", link.url[-40:], reading):
        forged = type(link)(url=f"/{local_links.UPLOAD_PATH}?token={token}", headers={})
        assert await send(forged, BODY) == (403, "link_expired")
    now = local_links.time.time()
    monkeypatch.setattr(local_links.time, "time", lambda: now + 61)
    assert await send(link, BODY) == (403, "link_expired")
    assert keys(local_store, "models") == []


async def test_no_upload_leads_out_of_the_store(local_store, tmp_path):
    token = local_links.sign_upload("../out", TYPE, len(BODY), seconds=60)
    link = presign(local_store)
    link = type(link)(url=f"/{local_links.UPLOAD_PATH}?token={token}", headers={})
    sent = await send(link, BODY, content_length=str(len(BODY)))
    assert sent == (404, "object_missing")
    assert not (tmp_path / "out").exists()


async def test_local_uploads_end_once_the_store_is_s3(local_store, use_s3):
    link = presign(local_store)
    use_s3()
    assert await send(link, BODY) == (403, "link_expired")


def test_an_s3_link_takes_the_file_and_keeps_its_type(use_s3):
    store = use_s3(S3_SSE="AES256")
    link = presign(store)
    asked = Request(link.url, BODY, dict(link.headers), method="PUT")  # noqa: S310  # the store on this machine
    with urlopen(asked) as answer:  # noqa: S310
        assert answer.status == 200
    assert content(store, KEY) == BODY
    client = default_storage.connection.meta.client
    head = client.head_object(Bucket=default_storage.bucket_name, Key=KEY)
    assert (head["ContentType"], head["ServerSideEncryption"]) == (TYPE, "AES256")


def test_the_signature_of_an_s3_link_covers_length_and_type(use_s3):
    link = presign(use_s3(), seconds=90)
    query = parse_qs(urlsplit(link.url).query)
    right = {name.lower(): value for name, value in link.headers.items()}
    right |= {"content-length": str(len(BODY)), "host": urlsplit(link.url).netloc}
    (signed,) = query["X-Amz-Signature"]
    assert query["X-Amz-Expires"] == ["90"]
    assert signature(link.url, right | {"user-agent": "any"}) == signed
    for wrong in ({"content-length": "200001"}, {"content-type": "text/html"}):
        assert signature(link.url, right | wrong) != signed


def signature(url, headers):
    """What a store that knows the secret computes for a PUT with these headers."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    del query["X-Amz-Signature"]
    names = query["X-Amz-SignedHeaders"]
    request = [
        "PUT",
        parts.path,
        "&".join(f"{quote(k, '')}={quote(v, '')}" for k, v in sorted(query.items())),
        *(f"{name}:{headers[name]}" for name in names.split(";")),
        "",
        names,
        "UNSIGNED-PAYLOAD",
    ]
    scope = query["X-Amz-Credential"].partition("/")[2]
    digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, digest])
    key = b"AWS4secret"
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
