"""Objects in an S3-compatible store: private, encrypted, never overwritten."""

from __future__ import annotations

import os
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils.module_loading import import_string
from moto.server import ThreadedMotoServer

from pingvas import settings as product_settings
from pingvas.core.management.commands import provision_storage


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def open_storage(endpoint, monkeypatch):
    """A function that opens the storage as these variables describe it."""
    variables = {
        "S3_ENDPOINT_URL": endpoint,
        "S3_BUCKET": "pictures",
        "S3_ACCESS_KEY_ID": "key",
        "S3_SECRET_ACCESS_KEY": "secret",
        "S3_ADDRESSING": "path",
    }

    def build(**changes):
        for name, value in (variables | changes).items():
            monkeypatch.setenv(name, value)
        described = product_settings.s3_storage()
        storage = import_string(described["BACKEND"])(**described["OPTIONS"])
        provision_storage.make_bucket(storage)
        return storage

    return build


def content(storage, name):
    with storage.open(name) as file:
        return file.read()


def head(storage, name):
    return storage.connection.meta.client.head_object(Bucket="pictures", Key=name)


def test_an_object_is_kept_and_encrypted(open_storage):
    storage = open_storage()
    name = storage.save("a/cat.png", ContentFile(b"pixels"))
    assert content(storage, name) == b"pixels"
    assert head(storage, name)["ServerSideEncryption"] == "AES256"


def test_a_key_of_the_customer_encrypts(open_storage):
    storage = open_storage(S3_SSE="aws:kms", S3_SSE_KMS_KEY_ID="our-key")
    kept = head(storage, storage.save("a/dog.png", ContentFile(b"pixels")))
    assert kept["ServerSideEncryption"] == "aws:kms"
    assert "our-key" in kept["SSEKMSKeyId"]


def test_a_store_without_encryption_is_asked_for_none(open_storage):
    storage = open_storage(S3_SSE="none")
    assert storage.object_parameters == {}


def test_a_second_object_of_one_name_does_not_replace_the_first(open_storage):
    storage = open_storage()
    first = storage.save("a/same.png", ContentFile(b"first"))
    second = storage.save("a/same.png", ContentFile(b"second"))
    assert first != second
    assert content(storage, first) == b"first"


def test_a_link_is_signed_by_version_4_and_short_lived(open_storage, endpoint):
    storage = open_storage()
    name = storage.save("a/link.png", ContentFile(b"pixels"))
    link = urlsplit(storage.url(name))
    query = parse_qs(link.query)
    assert f"{link.scheme}://{link.netloc}" == endpoint
    assert link.path == f"/pictures/{name}"
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["300"]


def test_nothing_is_made_public(open_storage):
    storage = open_storage()
    asked = []
    storage.connection.meta.client.meta.events.register(
        "before-call.s3.PutObject",
        lambda params, **rest: asked.append(set(params["headers"])),
    )
    storage.save("a/private.png", ContentFile(b"pixels"))
    (headers,) = asked
    assert "x-amz-server-side-encryption" in headers
    assert "x-amz-acl" not in headers


@pytest.mark.parametrize("region", ["us-east-1", "ap-northeast-2"])
def test_the_bucket_is_made_once(open_storage, region):
    storage = open_storage(S3_BUCKET=f"bucket-in-{region}", S3_REGION=region)
    assert provision_storage.make_bucket(storage) is False


def test_the_command_makes_the_bucket_of_the_settings(open_storage, monkeypatch):
    storage = open_storage()
    monkeypatch.setattr(provision_storage, "default_storage", storage)
    out = StringIO()
    call_command("provision_storage", stdout=out)
    assert out.getvalue() == "bucket pictures is there\n"


def test_local_files_need_no_bucket(monkeypatch):
    out = StringIO()
    call_command("provision_storage", stdout=out)
    assert out.getvalue() == "storage is local: nothing to make\n"


def test_files_are_local_unless_told_otherwise(settings):
    backend = settings.STORAGES["default"]["BACKEND"]
    assert backend == "django.core.files.storage.FileSystemStorage"
    assert str(settings.MEDIA_ROOT) == os.environ["MEDIA_ROOT"]
