"""The HTTP side of uvicorn: what a connection may cost the process is bounded.

Used by `uvicorn --http pingvas.core.http:PromptHttp`. An address has so many
connections, a head has so many seconds, an answer is taken at the least rate, and
whatever is closed ends. uvicorn alone waits for slow clients for ever.
"""

from __future__ import annotations

import socket
import struct
from asyncio import TimerHandle, Transport
from contextlib import suppress
from typing import Any

import h11
from django.conf import settings
from uvicorn.protocols.http.h11_impl import H11Protocol

from pingvas.core.serving.asgi_types import Message, Receive, Scope, Send
from pingvas.core.serving.clients import is_proxy, network_of
from pingvas.core.serving.pace import (
    LEAST_BYTES_PER_SECOND,
    MOST_AHEAD,
    ClientGone,
    Pace,
)
from pingvas.core.serving.places import Places

# The kernel would keep up to 4 MB for each client that does not read.
KERNEL_BUFFER_BYTES = 256 * 1024
# Of SO_LINGER: on, for no time at all.
RESET = struct.pack("ii", 1, 0)
TOO_MANY = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n"
    b"Retry-After: 5\r\nConnection: close\r\n\r\n"
)
TOO_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

# Of this process, WebSockets included.
connections = Places()


class PromptHttp(H11Protocol):
    """Closes on clients that are too many or too slow; answers the others at once."""

    def __init__(self, config: Any, *rest: Any, **options: Any) -> None:
        super().__init__(config, *rest, **options)
        self._application: Any = self.app
        self.app = self._serve
        self._grace = float(settings.CLIENT_GRACE_SECONDS)
        self._place: str | None = None
        self._head_timer: TimerHandle | None = None
        self._end_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        _tune(transport)
        super().connection_made(transport)
        if self._take_place():
            self._await_head()
        else:
            self._say(TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.leave_place()
        for timer in (self._head_timer, self._end_timer):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and self._head_timer is not None:
            self._head_timer.cancel()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().handle_websocket_upgrade(event)
        # It has the connection from now on, and so the place.
        after: Any = self.transport.get_protocol()
        after.leave_place, self._place = PlaceOf(self._place).leave, None

    def send_400_response(self, msg: str) -> None:
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            # An answer was on its way already.
            _cut(self.transport)
        self._end_soon()

    def on_response_complete(self) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            # The rest of a body that nobody reads would go on for ever.
            self.transport.close()
        if self.transport.is_closing():
            self._end_soon()
        else:
            self._await_head()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._end_soon()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            self._end_soon()

    def leave_place(self) -> None:
        PlaceOf(self._place).leave()
        self._place = None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, whose answer the client has to take in time."""
        pace = Pace(self._grace)

        async def paced(message: Message) -> None:
            if self.transport.is_closing():
                self._give_up()
            if self.flow.write_paused:
                await self._send_slowly(send(message), pace)
            else:
                await send(message)
            pace.moved(len(message.get("body", b"")))

        with suppress(ClientGone):
            await self._application(scope, receive, paced)

    async def _send_slowly(self, sending: Any, pace: Pace) -> None:
        try:
            await pace.within(sending)
        except TimeoutError:
            _cut(self.transport)
            self._give_up()

    def _give_up(self) -> None:
        # uvicorn hears of it a moment later, and would complain until then.
        self.cycle.disconnected = True
        raise ClientGone

    def _take_place(self) -> bool:
        peer = self.client[0] if self.client else ""
        if not peer or is_proxy(peer):
            # On this machine, or a proxy, which comes for many: their requests are
            # counted one by one.
            return True
        place = network_of(peer)
        if not connections.take(place, settings.CONNECTIONS_PER_ADDRESS):
            return False
        self._place = place
        return True

    def _await_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = self.loop.call_later(self._grace, self._head_is_late)

    def _head_is_late(self) -> None:
        self._say(TOO_LATE if self.conn.trailing_data[0] else b"")

    def _say(self, last_words: bytes) -> None:
        self.transport.write(last_words)
        self.transport.close()
        self._end_soon()

    def _end_soon(self, unsent: int | None = None) -> None:
        """A transport with unread bytes stays open for as long as its client likes.

        unsent: how many there were when this was looked at the last time.
        """
        seconds = MOST_AHEAD * self._grace
        left = self.transport.get_write_buffer_size()
        if unsent is not None and unsent - left < LEAST_BYTES_PER_SECOND * seconds:
            _cut(self.transport)
        elif unsent is not None or self._end_timer is None:
            self._end_timer = self.loop.call_later(seconds, self._end_soon, left)


class PlaceOf:
    """A place among the connections of an address, to be left once; None: no place."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def leave(self) -> None:
        if self._address is not None:
            connections.leave(self._address)
            self._address = None


def _cut(transport: Transport) -> None:
    """End the connection now, with what the kernel has of it.

    Closed without more, it would be kept until the client has read that as well.
    """
    one = transport.get_extra_info("socket")
    if one is not None and one.family in {socket.AF_INET, socket.AF_INET6}:
        with suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


def _tune(transport: Transport) -> None:
    """Send at once, and let the kernel keep little.

    asyncio sees to the first only for sockets that it opened itself. Those that
    processes share come from their parent: a kept connection waited 40 ms an answer.
    """
    one = transport.get_extra_info("socket")
    if one is not None and one.family in {socket.AF_INET, socket.AF_INET6}:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
