"""Room for checkpoints on disk: what nobody uses makes way for what is needed."""

from __future__ import annotations

import pytest

from tests.workers.model_files import Downloader, cached, of_size, publish
from workers.model_cache import ModelCache, ModelCacheFull, ModelTooLarge


@pytest.fixture
def three(store):
    return [
        publish(store, f"model-{seed}", of_size(1000, seed), "file")
        for seed in range(3)
    ]


@pytest.fixture
def small_cache(root):
    """A function that opens a cache of so many bytes."""
    opened = []

    def open_cache(limit=2000):
        opened.append(ModelCache(root, limit))
        return opened[-1]

    yield open_cache
    for cache in opened:
        cache.release()


def test_the_least_recently_used_model_makes_room(three, root, small_cache):
    a, b, c = three
    cache = small_cache()
    for model in (a, b, a, c):
        cache.ensure(model)
    assert cached(root) == {a.sha256_hash, c.sha256_hash}
    cache.ensure(b)
    assert cached(root) == {b.sha256_hash, c.sha256_hash}


def test_a_model_in_use_elsewhere_is_never_removed(three, root, small_cache):
    a, b, c = three
    user = Downloader(root, a, stay=60)
    user.wait_for("ready")
    cache = small_cache()
    for model in (b, c):
        cache.ensure(model)
    # `a` is the oldest, and stays; when its user dies it is like any other.
    assert cached(root) == {a.sha256_hash, c.sha256_hash}
    user.kill()
    cache.ensure(b)
    assert cached(root) == {b.sha256_hash, c.sha256_hash}


def test_when_everything_is_in_use_a_further_model_waits(three, root, small_cache):
    a, b, _ = three
    using = small_cache(1000)
    using.ensure(a)
    other = small_cache(1000)
    with pytest.raises(ModelCacheFull) as refused:
        other.ensure(b)
    assert not refused.value.permanent
    using.release()
    other.ensure(b)
    assert cached(root) == {b.sha256_hash}


def test_what_one_process_downloads_another_does_not_remove(three, root, small_cache):
    a, b, _ = three
    busy = Downloader(root, a, size=100, pause=1.0)
    busy.wait_for("took", "weights")
    with pytest.raises(ModelCacheFull):
        small_cache(1000).ensure(b)
    busy.kill()
    cache = small_cache(1000)
    # What the killed one left counts, and goes.
    cache.ensure(b)
    assert cached(root) == {b.sha256_hash}


def test_a_download_counts_in_full_from_its_first_byte(three, root, small_cache):
    a, b, _ = three
    busy = Downloader(root, a, size=100, pause=1.0)
    busy.wait_for("took", "weights")
    with pytest.raises(ModelCacheFull):
        small_cache(1900).ensure(b)
    small_cache(2000).ensure(b)
    busy.kill()


def test_a_model_larger_than_the_cache_is_refused_for_good(three, small_cache):
    with pytest.raises(ModelTooLarge) as refused:
        small_cache(999).ensure(three[0])
    assert refused.value.permanent


def test_what_a_hub_brought_is_no_checkpoint_of_the_cache(three, root, small_cache):
    kept = root / "incoming" / "someone--tiny"
    cache = small_cache()
    kept.mkdir(parents=True)
    (kept / "weights.part").write_bytes(b"0" * 5000)
    for model in three:
        cache.ensure(model)
    assert (kept / "weights.part").exists()
