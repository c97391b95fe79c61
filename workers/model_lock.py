"""Redis's part of the model cache: who downloads, and what was used this week."""

from __future__ import annotations

import os
import socket
import threading
import time

from redis.exceptions import RedisError

from pingvas.core.redis import (
    MODEL_CACHE_TTL_SECONDS,
    MODEL_LOCK_TTL_SECONDS,
    model_cache,
    model_download_lock,
    redis_client,
)

RETRY_SECONDS = 0.5
RENEWALS_A_TTL = 4

# Only the holder may renew or free the lock.
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
_FREE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class DownloadLock:
    """`model:download:lock:{name}`: one download at a time among all workers.

    Renewed while its holder lives. It saves traffic and guards nothing: while Redis is
    away everybody downloads for themselves.
    """

    def __init__(self, name: str) -> None:
        self._key = model_download_lock(name)
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
        self._done = threading.Event()

    def __enter__(self) -> DownloadLock:
        try:
            while not redis_client().set(
                self._key, self._holder, nx=True, ex=MODEL_LOCK_TTL_SECONDS
            ):
                time.sleep(RETRY_SECONDS)
        except RedisError:
            return self
        threading.Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._ask(_FREE)

    def _renew(self) -> None:
        while not self._done.wait(MODEL_LOCK_TTL_SECONDS / RENEWALS_A_TTL):
            self._ask(_RENEW, str(MODEL_LOCK_TTL_SECONDS))

    def _ask(self, script: str, *arguments: str) -> None:
        try:
            redis_client().eval(script, 1, self._key, self._holder, *arguments)
        except RedisError:
            return


def remember_cached(name: str) -> None:
    """Keep `model:cache:{name}` for seven more days."""
    try:
        redis_client().set(model_cache(name), "true", ex=MODEL_CACHE_TTL_SECONDS)
    except RedisError:
        return
