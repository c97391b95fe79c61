"""Checkpoints in an S3-compatible store, and from there into a worker's cache."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage

from tests.workers.model_files import CONTENT, files_in, publish
from workers.manifest import ModelCorrupt
from workers.model_cache import ModelCache, ModelMissing, ModelStoreAway

WEIGHTS = "unet/weights.safetensors"


@pytest.fixture
def cache(tmp_path):
    found = ModelCache(tmp_path / "cache", 10**9)
    yield found
    found.release()


def test_a_model_comes_from_s3_and_a_cut_one_by_its_last_bytes(use_s3, cache, tmp_path):
    model = publish(use_s3())
    left = tmp_path / "cache" / f"{model.sha256_hash}.partial" / "files" / WEIGHTS
    left.parent.mkdir(parents=True)
    left.write_bytes(CONTENT[WEIGHTS][:70_000])
    asked = []
    default_storage.connection.meta.client.meta.events.register(
        "before-call.s3.GetObject",
        lambda params, **rest: asked.append(params["headers"].get("Range")),
    )
    assert files_in(cache.ensure(model).path) == CONTENT
    assert asked.count("bytes=70000-") == 1


def test_changed_weights_in_s3_are_refused(use_s3, cache):
    store = use_s3()
    model = publish(store)
    store.put(f"{model.s3_key}/{WEIGHTS}", b"else", content_type="x/x")
    with pytest.raises(ModelCorrupt):
        cache.ensure(model)


def test_a_missing_model_and_a_store_that_is_away_are_told_apart(
    use_s3, cache, monkeypatch
):
    monkeypatch.setattr("workers.model_cache.PAUSES", (0.01,))
    store = use_s3()
    model = publish(store)
    store.delete([f"{model.s3_key}/{WEIGHTS}"])
    with pytest.raises(ModelMissing):
        cache.ensure(model)
    use_s3(S3_ENDPOINT_URL="http://127.0.0.1:1")
    with pytest.raises(ModelStoreAway):
        cache.ensure(model)
