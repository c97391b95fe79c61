"""What both stores do alike, and how each one fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from pingvas.core.storage.base import ObjectMissing, StorageUnavailable
from tests.gallery.pictures import content


def put(store, key, body=b"pixels"):
    store.put(key, body, content_type="image/png")


def keys(store, prefix="images"):
    return [each.key for page in store.pages(prefix) for each in page]


def test_what_is_put_is_read_back_from_any_byte(store):
    put(store, "images/a/b.png", b"0123456789")
    assert content(store, "images/a/b.png") == b"0123456789"
    assert b"".join(store.read("images/a/b.png", start=4)) == b"456789"
    assert b"".join(store.read("images/a/b.png", start=10)) == b""
    assert store.size("images/a/b.png") == 10


def test_a_second_put_replaces_the_first_under_the_same_key(store):
    put(store, "images/a/b.png", b"half")
    put(store, "images/a/b.png", b"the whole")
    assert content(store, "images/a/b.png") == b"the whole"
    assert keys(store) == ["images/a/b.png"]


def test_a_file_is_put_as_it_is(store, tmp_path):
    source = tmp_path / "weights"
    source.write_bytes(os.urandom(9 * 1024 * 1024))
    store.put_file("models/x/weights", source)
    assert content(store, "models/x/weights") == source.read_bytes()


def test_what_is_not_there_is_named_so(store):
    assert store.size("images/none") is None
    with pytest.raises(ObjectMissing):
        content(store, "images/none")


def test_a_listing_gives_every_object_below_a_prefix_in_pages(store, monkeypatch):
    monkeypatch.setattr(f"{type(store).__module__}.PAGE", 2)
    names = [f"images/u/{number}/x.png" for number in range(5)]
    for name in [*names, "models/m/x", "imagesque/x"]:
        put(store, name)
    pages = list(store.pages("images"))
    assert [each.key for page in pages for each in page] == names
    assert [len(page) for page in pages] == [2, 2, 1]
    (first, *_), *_ = pages
    assert first.size == 6
    assert abs(first.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_empty_store_lists_nothing_and_nothing_lies_below_an_object(store):
    assert keys(store) == []
    put(store, "images/a.png")
    assert keys(store, "images/a.png") == []


def test_deleting_twice_is_deleting_once(store):
    put(store, "images/a/1.png")
    put(store, "images/a/2.png")
    store.delete(["images/a/1.png", "images/a/never.png"])
    store.delete(["images/a/1.png"])
    assert keys(store) == ["images/a/2.png"]


def test_a_put_finds_its_folder_though_it_was_just_removed_as_empty(
    local_store, monkeypatch
):
    put(local_store, "images/other/x.png")
    made = Path.mkdir

    def mkdir_and_lose_it(path, *args, **kwargs):
        made(path, *args, **kwargs)
        if path.name == "job":
            monkeypatch.setattr(Path, "mkdir", made)
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", mkdir_and_lose_it)
    put(local_store, "images/job/x.png")
    assert content(local_store, "images/job/x.png") == b"pixels"


WRITER = """
import sys, time
from pathlib import Path
from django.conf import settings
settings.configure()
from pingvas.core.storage import local

def slowly(source, sink, size):
    sink.write(b"half of it")
    sink.flush()
    print("half", flush=True)
    time.sleep(60)

local.shutil.copyfileobj = slowly
local.LocalStore(Path(sys.argv[1])).put_file("images/a/b.png", Path(__file__))
"""


def test_a_writer_killed_in_the_middle_leaves_no_object_under_the_key(
    local_store, settings, tmp_path
):
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    writer = subprocess.Popen(
        [sys.executable, script, settings.MEDIA_ROOT],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert writer.stdout.readline() == b"half\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert local_store.size("images/a/b.png") is None
    # What it left is an object of another key, for the sweep.
    (left,) = keys(local_store)
    assert left.endswith(".part")


def test_a_full_or_broken_disk_is_a_store_that_is_away(local_store, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pingvas.core.storage.local.os.fsync", fail)
    with pytest.raises(StorageUnavailable):
        put(local_store, "images/a/b.png")
    assert keys(local_store) == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"ServerSideEncryption": "AES256"}),
        (
            {"S3_SSE": "aws:kms", "S3_SSE_KMS_KEY_ID": "our-key"},
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "our-key"},
        ),
    ],
)
def test_every_object_is_encrypted_as_the_settings_say(
    use_s3, tmp_path, variables, expected
):
    store = use_s3(**variables)
    put(store, "images/a/b.png")
    (tmp_path / "w").write_bytes(b"x" * 9 * 1024 * 1024)
    store.put_file("models/w", tmp_path / "w")
    client = default_storage.connection.meta.client
    for key in ("images/a/b.png", "models/w"):
        head = client.head_object(Bucket=default_storage.bucket_name, Key=key)
        said = {name: head[name].rpartition("/")[2] for name in expected}
        assert said == expected


def test_an_object_in_s3_says_what_it_is_and_is_nobody_elses(use_s3):
    store = use_s3()
    put(store, "images/a/b.png")
    client = default_storage.connection.meta.client
    where = {"Bucket": default_storage.bucket_name, "Key": "images/a/b.png"}
    assert client.head_object(**where)["ContentType"] == "image/png"
    grants = client.get_object_acl(**where)["Grants"]
    assert [grant["Grantee"]["Type"] for grant in grants] == ["CanonicalUser"]


def test_a_store_that_is_away_says_so_within_seconds(use_s3):
    store = use_s3(S3_ENDPOINT_URL="http://127.0.0.1:1")
    begun = time.monotonic()
    with pytest.raises(StorageUnavailable):
        put(store, "images/a/b.png")
    with pytest.raises(StorageUnavailable):
        content(store, "images/a/b.png")
    assert time.monotonic() - begun < 20


def test_a_bucket_that_is_not_there_is_not_taken_for_a_missing_object(
    use_s3, s3_endpoint
):
    store = use_s3()
    store._bucket = "no-such-bucket-at-all"
    with pytest.raises(StorageUnavailable):
        put(store, "images/a/b.png")
