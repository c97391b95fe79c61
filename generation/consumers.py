"""`/ws/v1/events`: one user's events, in order, none lost, none doubled.

A socket subscribes first and reads then. What it sends comes from the replay buffer
alone, from the number it sent last; the push is a nudge to look again, and every few
seconds it looks without one. So neither a lost push nor a lost connection to Redis is
noticed by the client, and memory holds one page of events for each socket.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError
from redis.exceptions import RedisError

from generation.admission import (
    NOT_SIGNED_IN,
    Guest,
    Refused,
    admit,
    mark_online,
    stays_welcome,
)
from generation.events import AnyEvent, Hello, to_event
from generation.snapshot import take_snapshot
from pingvas.core.errors import ServiceUnavailable
from pingvas.core.events import (
    Unread,
    event_body,
    frame,
    newest_sequence,
    read_events,
    unread_bytes,
    user_group,
)

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Close codes beside those of `generation.admission`; 1xxx are the protocol's own.
TOO_SLOW = 4008
UNSUPPORTED_FRAME = 1003
FRAME_TOO_LARGE = 1009
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013

FEATURES = ["replay", "resync", "ping"]
PAGE = 50
POLL_SECONDS = 5.0
GUARD_SECONDS = 20.0
MOST_UNSENT_BYTES = 1024 * 1024
# A client that takes nothing for this long is not reading at all.
LONGEST_STALL_SECONDS = 15.0
STALL_CHECK_SECONDS = 1.0
LARGEST_CLIENT_FRAME = 1024
LARGEST_SEQUENCE_DIGITS = 18
PONG = '{"v":1,"type":"pong"}'

# Django's default would put the reads of every socket behind one thread.
_threads = ThreadPoolExecutor(16, thread_name_prefix="events")
_AWAY = (RedisError, DatabaseError, ServiceUnavailable)


async def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    run = database_sync_to_async(function, thread_sensitive=False, executor=_threads)
    result: T = await run(*args, **kwargs)
    return result


class CloseSocket(Exception):
    """The conversation ends, for the reason that `code` names."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def serve_events(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application of `/ws/v1/events`."""
    await receive()
    # Accepted even to be refused: before that, a close code never arrives.
    with suppress(OSError):
        await send({"type": "websocket.accept"})
        code = await _serve(scope, receive, send)
        if code is not None:
            await _close(send, code)


async def _serve(scope: dict[str, Any], receive: Receive, send: Send) -> int | None:
    """Serve until one side ends it: the code to close with, None: the client left."""
    try:
        guest = await _in_thread(admit, scope)
        await _in_thread(mark_online, guest.user_id)
        async with Subscription(guest) as subscription:
            socket = EventsSocket(guest, subscription.news, receive, send)
            await socket.serve(_since(scope))
    except (Refused, CloseSocket) as end:
        return end.code
    except _AWAY:
        log.warning("socket not served: a server is away", exc_info=True)
        return TRY_AGAIN_LATER
    except OSError:
        return None
    except Exception:
        log.exception("socket not served")
        return INTERNAL_ERROR
    return None


async def _close(send: Send, code: int) -> None:
    # A server that waits for the client to read first would wait for ever.
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_STALL_SECONDS):
            await send({"type": "websocket.close", "code": code})


def _since(scope: dict[str, Any]) -> int | None:
    """What the client saw last; None: nothing to replay; 0: cannot be replayed."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if "since" not in query:
        return None
    given = query["since"][-1]
    is_number = given.isascii() and given.isdigit()
    return int(given) if is_number and len(given) <= LARGEST_SEQUENCE_DIGITS else 0


class Subscription:
    """The nudges of one user's events, as long as the block lasts."""

    def __init__(self, guest: Guest) -> None:
        self.group = user_group(guest.user_id)
        self.news = asyncio.Event()
        self.layer: Any = get_channel_layer()

    async def __aenter__(self) -> Subscription:
        self.channel = await self.layer.new_channel()
        await self.layer.group_add(self.group, self.channel)
        self.listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *error: object) -> None:
        # The layer forgets the channel when its receive() is cancelled.
        self.listening.cancel()
        with suppress(RedisError):
            await self.layer.group_discard(self.group, self.channel)
        await asyncio.gather(self.listening, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            await self.layer.receive(self.channel)
            self.news.set()


class EventsSocket:
    """One open socket. `serve` alone sends on it, so frames are never interleaved."""

    def __init__(
        self, guest: Guest, news: asyncio.Event, receive: Receive, send: Send
    ) -> None:
        self.guest = guest
        self.user_id = guest.user_id
        self.news = news
        self.receive = receive
        self.raw_send = send
        self.position = 0
        self.opened_at = 0
        self.pongs_due = 0

    async def serve(self, since: int | None) -> None:
        """Until the client leaves; CloseSocket when it is to be closed."""
        await self._greet(since)
        tasks = [
            asyncio.create_task(self._send_events()),
            asyncio.create_task(self._take_frames()),
            asyncio.create_task(self._watch_welcome()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _greet(self, since: int | None) -> None:
        newest = await _in_thread(newest_sequence, self.user_id)
        self.opened_at = newest
        if since is None:
            self.position = newest
        else:
            # A number that was never given would make the client wait for higher ones.
            self.position = since if since <= newest else 0
        await self._tell(Hello(last_seq=newest, features=FEATURES))

    async def _send_events(self) -> None:
        while True:
            self.news.clear()
            has_more = await self._send_page()
            while self.pongs_due:
                self.pongs_due -= 1
                await self._send(PONG)
            if not has_more:
                await self._wait_for_news()

    async def _send_page(self) -> bool:
        """Send what is new, one page at most; whether there may be more."""
        try:
            unread = await self._read()
            if unread.is_gap:
                await self._resync(unread.newest)
        except _AWAY:
            log.warning("events not read", extra={"user": str(self.user_id)})
            return False
        if unread.is_gap:
            return True
        for sequence, body in unread.entries:
            await self._send(frame(sequence, body))
            self.position = sequence
        return len(unread.entries) == PAGE

    async def _read(self) -> Unread:
        return await _in_thread(
            read_events, self.user_id, after=self.position, limit=PAGE
        )

    async def _resync(self, newest: int) -> None:
        """Tell how things are; `newest` was read before, so nothing falls between."""
        snapshot = await _in_thread(take_snapshot, self.user_id)
        self.position = self.opened_at = newest
        await self._tell(snapshot)

    async def _wait_for_news(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self.news.wait()

    async def _tell(self, told: AnyEvent) -> None:
        await self._send(frame(self.position, event_body(to_event(self.user_id, told))))

    async def _send(self, text: str) -> None:
        """Send one frame; CloseSocket when the client has fallen too far behind."""
        message = {"type": "websocket.send", "text": text}
        sending = asyncio.ensure_future(self.raw_send(message))
        started = asyncio.get_running_loop().time()
        try:
            while not (await asyncio.wait({sending}, timeout=STALL_CHECK_SECONDS))[0]:
                stalled = asyncio.get_running_loop().time() - started
                if stalled > LONGEST_STALL_SECONDS or await self._is_too_far_behind():
                    raise CloseSocket(TOO_SLOW)
            sending.result()
        finally:
            sending.cancel()

    async def _is_too_far_behind(self) -> bool:
        """By what came while the socket was open: a long replay is not its fault."""
        after = max(self.position, self.opened_at)
        with suppress(*_AWAY):
            unsent = await _in_thread(
                unread_bytes, self.user_id, after=after, up_to=MOST_UNSENT_BYTES
            )
            return unsent > MOST_UNSENT_BYTES
        return False

    async def _take_frames(self) -> None:
        """Clients have nothing to say but `{"type": "ping"}`."""
        while True:
            message = await self.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or ""
            if len(text) > LARGEST_CLIENT_FRAME or message.get("bytes"):
                raise CloseSocket(FRAME_TOO_LARGE if text else UNSUPPORTED_FRAME)
            if not is_ping(text):
                raise CloseSocket(UNSUPPORTED_FRAME)
            self.pongs_due = min(self.pongs_due + 1, 10)
            self.news.set()

    async def _watch_welcome(self) -> None:
        """Close the socket of someone who was deactivated or signed out."""
        while True:
            await asyncio.sleep(GUARD_SECONDS)
            with suppress(*_AWAY):
                if not await _in_thread(stays_welcome, self.guest):
                    raise CloseSocket(NOT_SIGNED_IN)


def is_ping(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "ping"
