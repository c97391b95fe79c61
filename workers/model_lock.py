"""Redis's part of the model cache: who downloads, and what was used this week."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from uuid import uuid4

from redis.exceptions import RedisError

from pingvas.core.redis import (
    MODEL_CACHE_TTL_SECONDS,
    MODEL_LOCK_TTL_SECONDS,
    model_cache,
    model_download_lock,
    redis_client,
)

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
RENEWALS_A_TTL = 4
# A job's loading has a deadline: half of it for waiting, half for downloading.
LONGEST_WAIT_SECONDS = 300.0

# Only the holder renews the lock. One that Redis lost is taken again.
_RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
# Only the holder frees it.
_FREE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class DownloadLock:
    """`model:download:lock:{name}`: one download at a time among all machines.

    Renewed while its holder lives. It saves traffic and guards nothing: while Redis is
    away, or another machine takes too long, everybody downloads for themselves.
    """

    def __init__(self, name: str, check: Callable[[], None] = lambda: None) -> None:
        """`check` is called while waiting, and may end that by an exception."""
        self._check = check
        self._key = model_download_lock(name)
        # Containers share host names and process numbers: the last part tells apart.
        self._holder = f"{socket.gethostname()}:{uuid4().hex}"
        self._done = threading.Event()
        self._renewer = threading.Thread(
            target=self._renew, daemon=True, name="model lock"
        )

    def __enter__(self) -> DownloadLock:
        if self._take():
            self._renewer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        if self._renewer.ident is not None:
            self._renewer.join()
            self._ask(_FREE)

    def _take(self) -> bool:
        begun = time.monotonic()
        try:
            while not redis_client().set(
                self._key, self._holder, nx=True, ex=MODEL_LOCK_TTL_SECONDS
            ):
                if time.monotonic() - begun > LONGEST_WAIT_SECONDS:
                    log.warning("model lock not taken", extra={"key": self._key})
                    return False
                self._check()
                time.sleep(RETRY_SECONDS)
        except RedisError:
            return False
        return True

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
