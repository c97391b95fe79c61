"""How slow a client may be, whichever way the bytes go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

LEAST_BYTES_PER_SECOND = 2048
# A client that was fast may rest this many times the grace, and no longer.
MOST_AHEAD = 4


class ClientGone(OSError):
    """The client left, or was too slow and was left."""


class Pace:
    """Time that one client may be waited for: some to begin with, more for each byte.

    Only waiting counts, never the time that we take ourselves.
    """

    def __init__(self, grace: float) -> None:
        self._left = grace
        self._most = MOST_AHEAD * grace

    async def within(self, waiting: Awaitable[T]) -> T:
        """What is waited for; TimeoutError when the client's time is over before."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(max(self._left, 0)):
                return await waiting
        finally:
            self._left -= clock() - began

    def moved(self, count: int) -> None:
        """So many bytes have passed."""
        self._left = min(self._left + count / LEAST_BYTES_PER_SECOND, self._most)
