"""What sockets ask of the database and of Redis, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

# Django's default would put the reads of every socket behind one thread.
_threads = ThreadPoolExecutor(16, thread_name_prefix="events")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    run = database_sync_to_async(function, thread_sensitive=False, executor=_threads)
    result: T = await run(*args, **kwargs)
    return result
