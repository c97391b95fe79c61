"""A studio in small: a registered tiny model, and runners that draw with it."""

from __future__ import annotations

import pytest
import torch
from django.core.management import call_command

from accounts.tiers import Tier
from pingvas.core.storage.stores import object_store
from tests.redis import redis_client
from tests.workers.engine import checkpoints
from workers.engine.engine import Engine
from workers.model_cache import ModelCache
from workers.runner import Runner


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Threads of tiny layers wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_download_is_left():
    """A lock that a test leaves would have the next one wait for minutes."""
    yield
    for key in redis_client().scan_iter("model:download:lock:*"):
        redis_client().delete(key)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    return checkpoints.build("sd15", tmp_path_factory.mktemp("model") / "sd15")


@pytest.fixture
def store(tmp_path, settings):
    """An empty store of checkpoints, and nothing in Redis about any."""
    settings.MEDIA_ROOT = tmp_path / "media"
    redis_client().flushdb()
    return object_store()


@pytest.fixture
def root(tmp_path):
    """Where a cache keeps its checkpoints."""
    return tmp_path / "cache"


@pytest.fixture
def open_runner(tiny_folder, tmp_path, settings):
    """A function that registers one more runner; the store has the model `tiny`."""
    settings.MEDIA_ROOT = tmp_path / "media"
    call_command("add_model", str(tiny_folder), name="tiny", base="sd15", verbosity=0)
    caches = []

    def open_one(engine=None, *, limit=10**9, **options):
        caches.append(ModelCache(tmp_path / "cache", limit))
        tiers = list(Tier.values)
        runner = Runner(engine or Engine(), caches[-1], tiers, **options)
        runner.register("test")
        return runner

    yield open_one
    for cache in caches:
        cache.release()


@pytest.fixture
def studio(open_runner):
    return open_runner()
