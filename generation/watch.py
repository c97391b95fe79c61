"""What all open sockets of a process want to know, asked for all of them at once.

Ten thousand idle sockets that each asked Redis and PostgreSQL would leave the event
loop no time. The answers are hints: a socket that gets one looks for itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from django.db import DatabaseError
from redis.exceptions import RedisError

from generation import seats
from generation.admission import Guest, doubtful
from generation.in_threads import in_thread
from generation.seats import Seat, keep_seats
from pingvas.core.errors import ServiceUnavailable
from pingvas.core.events import newest_sequences

log = logging.getLogger(__name__)

# In case that a push was lost.
POLL_SECONDS = 5.0
# A session's end is pushed as well; what ends one otherwise is noticed by this.
GUARD_SECONDS = 3.0

SERVERS_AWAY = (RedisError, DatabaseError, ServiceUnavailable)


class Watched(Protocol):
    """A socket. `news` and `doubt` are hints to look for events, and at its proof."""

    guest: Guest
    seat: Seat
    position: int
    news: asyncio.Event
    doubt: asyncio.Event


class Watch:
    """Goes round as long as there are sockets."""

    def __init__(self) -> None:
        self._sockets: set[Watched] = set()
        self._rounds: list[asyncio.Task[None]] = []

    @contextmanager
    def over(self, socket: Watched) -> Iterator[None]:
        self._sockets.add(socket)
        if len(self._sockets) == 1:
            self._begin()
        try:
            yield
        finally:
            self._sockets.discard(socket)
            if not self._sockets:
                self._end()

    def _begin(self) -> None:
        rounds = (
            (lambda: POLL_SECONDS, self._look_for_events),
            (lambda: GUARD_SECONDS, self._look_at_proofs),
            (lambda: seats.SEAT_SECONDS, self._keep_seats),
        )
        self._rounds = [asyncio.create_task(_repeat(*each)) for each in rounds]

    def _end(self) -> None:
        for task in self._rounds:
            task.cancel()

    async def _look_for_events(self) -> None:
        users = {socket.guest.user_id for socket in self._sockets}
        newest = await in_thread(newest_sequences, users)
        for socket in self._sockets:
            if newest.get(socket.guest.user_id, socket.position) != socket.position:
                socket.news.set()

    async def _look_at_proofs(self) -> None:
        guests = {socket.guest for socket in self._sockets}
        doubted = await in_thread(doubtful, guests)
        for socket in self._sockets:
            if socket.guest in doubted:
                socket.doubt.set()

    async def _keep_seats(self) -> None:
        await in_thread(keep_seats, [socket.seat for socket in self._sockets])


async def _repeat(
    seconds: Callable[[], float], go_round: Callable[[], Awaitable[None]]
) -> None:
    while True:
        await asyncio.sleep(seconds())
        try:
            await go_round()
        except SERVERS_AWAY:
            log.warning("open sockets not looked after: a server is away")
        except Exception:
            log.exception("open sockets not looked after")
