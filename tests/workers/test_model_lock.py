"""`model:download:lock:{name}`: held while its holder lives, and not longer."""

from __future__ import annotations

import time

import pytest

from pingvas.core.redis import model_download_lock
from tests.redis import redis_client
from workers import model_lock
from workers.model_lock import DownloadLock

KEY = model_download_lock("flux-dev")


@pytest.fixture(autouse=True)
def empty():
    redis_client().delete(KEY)


@pytest.fixture
def short(monkeypatch):
    """A lock of one second instead of ten minutes."""
    monkeypatch.setattr(model_lock, "MODEL_LOCK_TTL_SECONDS", 1)
    monkeypatch.setattr(model_lock, "RETRY_SECONDS", 0.02)


def test_the_lock_says_who_holds_it_for_ten_minutes():
    with DownloadLock("flux-dev"):
        host, _, holder = redis_client().get(KEY).rpartition(":")
        assert host
        assert len(holder) == 32
        assert 590 < redis_client().ttl(KEY) <= 600
    assert not redis_client().exists(KEY)


def test_the_lock_is_renewed_while_its_holder_lives(short):
    with DownloadLock("flux-dev"):
        holder = redis_client().get(KEY)
        time.sleep(1.6)
        assert redis_client().get(KEY) == holder


def test_without_its_renewal_the_lock_would_be_gone(short, monkeypatch):
    monkeypatch.setattr(DownloadLock, "_renew", lambda self: None)
    with DownloadLock("flux-dev"):
        time.sleep(1.6)
        assert not redis_client().exists(KEY)


def test_the_lock_of_a_holder_that_died_is_free_when_it_expires(short):
    redis_client().set(KEY, "a worker that is no more", ex=1)
    begun = time.monotonic()
    with DownloadLock("flux-dev"):
        assert time.monotonic() - begun > 0.5
        assert "no more" not in redis_client().get(KEY)


def test_only_the_holder_frees_the_lock():
    with DownloadLock("flux-dev"):
        redis_client().set(KEY, "somebody else")
    assert redis_client().get(KEY) == "somebody else"


def test_only_the_holder_renews_the_lock(short):
    with DownloadLock("flux-dev"):
        redis_client().set(KEY, "somebody else", ex=100)
        time.sleep(0.6)
        assert redis_client().ttl(KEY) > 90


def test_a_lock_that_redis_lost_is_taken_again(short):
    with DownloadLock("flux-dev"):
        redis_client().delete(KEY)
        time.sleep(0.6)
        assert redis_client().exists(KEY)


def test_two_locks_of_one_process_are_two_holders(short, monkeypatch):
    monkeypatch.setattr(model_lock, "LONGEST_WAIT_SECONDS", 0.1)
    with DownloadLock("flux-dev"):
        holder = redis_client().get(KEY)
        # Waits, then goes on without the lock, and frees what is not its own not.
        with DownloadLock("flux-dev"):
            assert redis_client().get(KEY) == holder
        assert redis_client().get(KEY) == holder
