"""Both object stores: a folder, and a server on this machine that speaks S3.

Fixtures: a folder of tests that uses them names them in its `conftest.py`.
"""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer

from pingvas import settings as product_settings
from pingvas.core.management.commands.provision_storage import make_bucket
from pingvas.core.storage.stores import object_store

S3_VARIABLES = {
    "S3_ACCESS_KEY_ID": "key",
    "S3_SECRET_ACCESS_KEY": "secret",
    "S3_ADDRESSING": "path",
}


@pytest.fixture(scope="session")
def s3_endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def use_s3(s3_endpoint, monkeypatch, settings):
    """A function that stores from now on in an empty bucket, as these variables say."""

    def use(**changes):
        bucket = f"pictures-{uuid4().hex[:12]}"
        variables = {"S3_ENDPOINT_URL": s3_endpoint, "S3_BUCKET": bucket}
        for name, value in (variables | S3_VARIABLES | changes).items():
            monkeypatch.setenv(name, value)
        settings.STORAGE_BACKEND = "s3"
        settings.STORAGE_BUCKET = bucket
        settings.STORAGES = {
            **settings.STORAGES,
            "default": product_settings.s3_storage(),
        }
        if "S3_ENDPOINT_URL" not in changes:
            make_bucket(default_storage)
        return object_store()

    return use


@pytest.fixture
def local_store(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "media"
    return object_store()


@pytest.fixture(params=["local", "s3"])
def store(request):
    """Each store in turn, empty."""
    if request.param == "s3":
        return request.getfixturevalue("use_s3")()
    return request.getfixturevalue("local_store")
