"""A checkpoint comes from the store once and whole, whatever happens on the way."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil

import pytest
from redis import Redis

from modelhub.models import AIModel
from pingvas.core.redis import model_cache as cache_key
from pingvas.core.redis import model_download_lock
from pingvas.core.storage.base import StorageUnavailable
from pingvas.core.storage.local import LocalStore
from tests.redis import redis_client
from tests.workers.model_files import (
    CONTENT,
    Downloader,
    cached,
    files_in,
    publish,
)
from workers import model_cache, model_download
from workers.manifest import MANIFEST, ModelCorrupt
from workers.model_cache import (
    ModelCache,
    ModelCacheFull,
    ModelMissing,
    ModelStoreAway,
)

LARGE = 10**9
WEIGHTS = "unet/weights.safetensors"


@pytest.fixture
def cache(root):
    found = ModelCache(root, LARGE)
    yield found
    found.release()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(model_cache, "PAUSES", (0.01, 0.01))


@pytest.fixture
def reads(monkeypatch):
    """What is read from the store: the last part of each key, and from which byte."""
    seen = []
    whole = LocalStore.read

    def read(store, key, *, start=0):
        seen.append((key.rpartition("/")[2], start))
        return whole(store, key, start=start)

    monkeypatch.setattr(LocalStore, "read", read)
    return seen


def test_a_new_model_comes_from_the_store_file_by_file(store, cache):
    assert files_in(cache.ensure(publish(store)).path) == CONTENT


def test_what_is_kept_is_for_the_worker_alone(store, root):
    root.mkdir()
    root.chmod(0o755)
    before = os.umask(0)
    try:
        cache = ModelCache(root, LARGE)
        cache.ensure(publish(store))
    finally:
        os.umask(before)
    cache.release()
    paths = [root, *root.rglob("*")]
    modes = {(path.is_dir(), path.stat().st_mode & 0o7777) for path in paths}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_a_single_file_is_given_as_that_file(store, cache):
    model = publish(store, content={"x.safetensors": b"weights"}, form="file")
    path = cache.ensure(model).path
    assert (path.name, path.read_bytes()) == ("x.safetensors", b"weights")


def test_a_model_that_is_here_needs_no_store(store, cache, settings, reads):
    model = publish(store)
    first = cache.ensure(model)
    reads.clear()
    shutil.rmtree(settings.MEDIA_ROOT)
    assert cache.ensure(model) == first
    assert reads == []


def test_every_use_keeps_the_models_name_for_seven_days(store, cache):
    model = publish(store, name="sdxl-base")
    cache.ensure(model)
    key = cache_key("sdxl-base")
    assert redis_client().get(key) == "true"
    redis_client().expire(key, 60)
    cache.ensure(model)
    assert redis_client().ttl(key) > 7 * 24 * 3600 - 60


def test_the_download_lock_is_free_afterwards(store, cache):
    cache.ensure(publish(store))
    assert not redis_client().exists(model_download_lock("tiny"))


def test_progress_is_told_in_bytes_of_all(store, cache, monkeypatch, caplog):
    monkeypatch.setattr("pingvas.core.storage.local.CHUNK", 20_000)
    monkeypatch.setattr(model_download, "SECONDS_A_REPORT", 0.0)
    with caplog.at_level(logging.INFO, "workers.model_download"):
        cache.ensure(publish(store))
    told = [
        (record.bytes, record.total)
        for record in caplog.records
        if record.message == "model download"
    ]
    total = sum(map(len, CONTENT.values()))
    assert len(told) > 5
    assert told == sorted(told)
    assert told[-1] == (total, total)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: {**manifest, "files": manifest["files"][:-1]},
        lambda manifest: {
            **manifest,
            "files": [{**manifest["files"][0], "path": "../../escaped"}],
        },
        lambda manifest: {**manifest, "format": "zip"},
        lambda manifest: [],
        lambda manifest: {"format": "folder", "files": []},
    ],
)
def test_a_manifest_that_was_changed_is_refused(store, cache, root, change):
    model = publish(store)
    key = f"{model.s3_key}/{MANIFEST}"
    changed = change(json.loads(b"".join(store.read(key))))
    store.put(key, json.dumps(changed).encode(), content_type="x/x")
    with pytest.raises(ModelCorrupt):
        cache.ensure(model)
    assert cached(root) == set()
    assert not (root.parent / "escaped").exists()


def test_weights_that_were_changed_never_become_a_model(store, cache, root, reads):
    model = publish(store)
    wrong = CONTENT["unet/weights.safetensors"][:-1] + b"!"
    key = f"{model.s3_key}/unet/weights.safetensors"
    store.put(key, wrong, content_type="x/x")
    with pytest.raises(ModelCorrupt) as refused:
        cache.ensure(model)
    assert refused.value.permanent
    assert model.sha256_hash not in cached(root)
    # Read twice: the first time could have been the disk's fault.
    assert [name for name, _ in reads].count("weights.safetensors") == 2


def test_a_model_without_files_in_the_store_is_missing(store, cache):
    model = publish(store)
    for nothing in (
        AIModel(name="x", s3_key="models/none", sha256_hash="0" * 64),
        AIModel(name="x", s3_key=None, sha256_hash=None),
    ):
        with pytest.raises(ModelMissing):
            cache.ensure(nothing)
    assert cache.ensure(model)


def test_a_download_killed_in_the_middle_is_finished_by_the_next(
    store, cache, root, reads
):
    model = publish(store)
    killed = Downloader(root, model, size=10_000, pause=0.05)
    killed.wait_for("took", "weights", times=4)
    killed.kill()
    assert cached(root) == {f"{model.sha256_hash}.partial"}
    half = len(files_in(root)[f"{model.sha256_hash}.partial/files/{WEIGHTS}"])
    assert 0 < half < len(CONTENT[WEIGHTS])
    # Its lock in Redis outlives it, on this machine nobody waits ten minutes for that.
    redis_client().delete(model_download_lock(model.name))
    assert files_in(cache.ensure(model).path) == CONTENT
    assert ("weights.safetensors", half) in reads
    assert cached(root) == {model.sha256_hash}


@pytest.mark.parametrize(
    "debris", [b"\xff" * 10, b"\xff" * 10**6, CONTENT[WEIGHTS] + b"more"]
)
def test_a_half_file_of_other_bytes_is_begun_anew(store, cache, root, debris):
    model = publish(store)
    left = root / f"{model.sha256_hash}.partial" / "files" / WEIGHTS
    left.parent.mkdir(parents=True)
    left.write_bytes(debris)
    assert files_in(cache.ensure(model).path) == CONTENT


@pytest.mark.parametrize("lost", [WEIGHTS, "model_index.json"])
def test_a_model_that_lost_bytes_on_disk_is_made_whole(store, cache, lost):
    model = publish(store)
    folder = cache.ensure(model).path
    (folder / lost).write_bytes(CONTENT[lost][:5])
    assert files_in(cache.ensure(model).path) == CONTENT


def test_two_processes_of_one_machine_download_once(store, root):
    model = publish(store)
    both = [Downloader(root, model, size=10_000, pause=0.01) for _ in range(2)]
    told = [event[:2] for process in both for event in process.finish()]
    assert told.count(("read", "weights.safetensors")) == 1
    assert files_in(root / model.sha256_hash / "files") == CONTENT


def test_two_machines_download_one_after_the_other(store, root, tmp_path):
    model = publish(store)
    roots = [root, tmp_path / "other machine"]
    both = [Downloader(each, model, size=10_000, pause=0.01) for each in roots]
    moments = [
        [moment for what, _, moment in process.finish() if what in ("read", "took")]
        for process in both
    ]
    first, second = sorted(moments)
    assert first[-1] < second[0]
    for each in roots:
        assert files_in(each / model.sha256_hash / "files") == CONTENT


def test_without_the_lock_in_redis_they_would_download_at_once(
    store, root, tmp_path, monkeypatch
):
    monkeypatch.setattr("workers.model_lock.DownloadLock._take", lambda self: False)
    model = publish(store)
    roots = [root, tmp_path / "other machine"]
    both = [Downloader(each, model, size=2_000, pause=0.01) for each in roots]
    moments = [[moment for *_, moment in process.finish()] for process in both]
    first, second = sorted(moments)
    assert first[-1] > second[0]


def test_without_redis_everybody_downloads_for_themselves(store, cache, monkeypatch):
    nowhere = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1)
    monkeypatch.setattr("workers.model_lock.redis_client", lambda: nowhere)
    assert files_in(cache.ensure(publish(store)).path) == CONTENT


def test_a_store_that_is_away_is_an_error_that_another_try_may_not_meet(
    store, cache, impatient, monkeypatch
):
    model = publish(store)

    def away(self, key, *, start=0):
        raise StorageUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(LocalStore, "read", away)
        with pytest.raises(ModelStoreAway) as refused:
            cache.ensure(model)
    assert not refused.value.permanent
    assert refused.value.code == "storage_unavailable"
    assert not redis_client().exists(model_download_lock(model.name))
    assert files_in(cache.ensure(model).path) == CONTENT


def test_a_connection_that_breaks_goes_on_where_it_was(
    store, cache, impatient, monkeypatch
):
    monkeypatch.setattr("pingvas.core.storage.local.CHUNK", 40_000)
    model = publish(store)
    whole, starts = LocalStore.read, []

    def cut_once(self, key, *, start=0):
        for number, chunk in enumerate(whole(self, key, start=start)):
            if key.endswith(WEIGHTS):
                starts.append(start)
                if number == 1 and start == 0:
                    raise StorageUnavailable
            yield chunk

    monkeypatch.setattr(LocalStore, "read", cut_once)
    assert files_in(cache.ensure(model).path) == CONTENT
    assert starts == [0, 0, 40_000, 40_000]


def test_a_full_disk_is_an_error_that_another_try_may_not_meet(
    store, cache, monkeypatch
):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    model = publish(store)
    monkeypatch.setattr(model_download.os, "fsync", full)
    with pytest.raises(ModelCacheFull, match="No space left") as refused:
        cache.ensure(model)
    assert not refused.value.permanent


class Cancelled(Exception):
    """What a check raises once nobody waits for the download any more."""


def test_a_download_that_nobody_waits_for_ends_and_is_gone_on_with(
    store, cache, root, monkeypatch, reads
):
    monkeypatch.setattr("pingvas.core.storage.local.CHUNK", 20_000)
    model, chunks = publish(store), []

    def check():
        chunks.append(None)
        if len(chunks) > 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        cache.ensure(model, check=check)
    assert cached(root) == {f"{model.sha256_hash}.partial"}
    assert not redis_client().exists(model_download_lock(model.name))
    assert files_in(cache.ensure(model).path) == CONTENT
    again = [start for name, start in reads if name == "weights.safetensors"]
    assert again[0] == 0 < again[1]


@pytest.mark.parametrize("same_machine", [True, False])
def test_waiting_for_anothers_download_ends_too(
    store, cache, root, tmp_path, same_machine
):
    model = publish(store)
    place = root if same_machine else tmp_path / "other machine"
    other = Downloader(place, model, size=1_000, pause=0.5)
    other.wait_for("took", "weights")

    def check():
        raise Cancelled

    with pytest.raises(Cancelled):
        cache.ensure(model, check=check)
    other.kill()
