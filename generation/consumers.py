"""`/ws/v1/events`: one user's events, in order, none lost, none doubled.

A socket subscribes first and reads then. What it sends comes from the replay buffer
alone, from the number it sent last; the push is a nudge to look again, and so is what
`generation.watch` finds out every few seconds. So neither a lost push nor a lost
connection to Redis is noticed by the client, and memory holds one page of events for
each socket.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from generation.admission import (
    NOT_SIGNED_IN,
    Guest,
    Refused,
    admit,
    stays_welcome,
)
from generation.events import AnyEvent, Hello, to_event
from generation.in_threads import in_thread
from generation.seats import Seat, leave_seat, take_seat
from generation.snapshot import take_snapshot
from generation.watch import SERVERS_AWAY, Watch
from pingvas.core.events import (
    DOUBT,
    Unread,
    event_body,
    frame,
    newest_sequence,
    read_events,
    unread_bytes,
    user_group,
)
from pingvas.core.serving.door import TOO_MANY_SOCKETS

log = logging.getLogger(__name__)
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
MOST_UNSENT_BYTES = 1024 * 1024
# A client that takes nothing for this long is not reading at all.
LONGEST_STALL_SECONDS = 15.0
STALL_CHECK_SECONDS = 1.0
LARGEST_CLIENT_FRAME = 1024
LARGEST_SEQUENCE_DIGITS = 18
PONG = '{"v":1,"type":"pong"}'

_watch = Watch()


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
        guest = await in_thread(admit, scope)
        if visit := scope.get("visit"):
            visit.user_id = str(guest.user_id)
        async with seated(guest) as seat, Subscription(guest) as subscription:
            socket = EventsSocket(guest, seat, subscription, receive, send)
            with _watch.over(socket):
                await socket.serve(_since(scope))
    except (Refused, CloseSocket) as end:
        return end.code
    except SERVERS_AWAY:
        log.warning("socket not served: a server is away", exc_info=True)
        return TRY_AGAIN_LATER
    except OSError:
        return None
    except Exception:
        log.exception("socket not served")
        return INTERNAL_ERROR
    return None


@asynccontextmanager
async def seated(guest: Guest) -> AsyncIterator[Seat]:
    """One of the sockets that a user may have; CloseSocket when they are all taken."""
    seat = (guest.user_id, uuid4().hex)
    if not await in_thread(take_seat, seat):
        raise CloseSocket(TOO_MANY_SOCKETS)
    try:
        yield seat
    finally:
        # Else it counts for a minute more.
        with suppress(RedisError):
            await in_thread(leave_seat, seat)


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
    """What is pushed to one user's sockets, as long as the block lasts.

    news, doubt: hints to look for events, and whether the socket is welcome still.
    """

    def __init__(self, guest: Guest) -> None:
        self.group = user_group(guest.user_id)
        self.news = asyncio.Event()
        self.doubt = asyncio.Event()
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
            message = await self.layer.receive(self.channel)
            (self.doubt if message == DOUBT else self.news).set()


class EventsSocket:
    """One open socket. `serve` alone sends on it, so frames are never interleaved."""

    def __init__(
        self,
        guest: Guest,
        seat: Seat,
        subscription: Subscription,
        receive: Receive,
        send: Send,
    ) -> None:
        self.guest = guest
        self.seat = seat
        self.user_id = guest.user_id
        self.news = subscription.news
        self.doubt = subscription.doubt
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
        newest = await in_thread(newest_sequence, self.user_id)
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
                await self.news.wait()

    async def _send_page(self) -> bool:
        """Send what is new, one page at most; whether there may be more."""
        try:
            unread = await self._read()
            if unread.is_gap:
                await self._resync(unread.newest)
        except SERVERS_AWAY:
            log.warning("events not read", extra={"user": str(self.user_id)})
            return False
        if unread.is_gap:
            return True
        for sequence, body in unread.entries:
            await self._send(frame(sequence, body))
            self.position = sequence
        return len(unread.entries) == PAGE

    async def _read(self) -> Unread:
        return await in_thread(
            read_events, self.user_id, after=self.position, limit=PAGE
        )

    async def _resync(self, newest: int) -> None:
        """Tell how things are; `newest` was read before, so nothing falls between."""
        snapshot = await in_thread(take_snapshot, self.user_id)
        self.position = self.opened_at = newest
        await self._tell(snapshot)

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
        with suppress(*SERVERS_AWAY):
            unsent = await in_thread(
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
            await self.doubt.wait()
            self.doubt.clear()
            with suppress(*SERVERS_AWAY):
                if not await in_thread(stays_welcome, self.guest):
                    raise CloseSocket(NOT_SIGNED_IN)


def is_ping(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "ping"
