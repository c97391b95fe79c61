"""The WebSocket side of uvicorn, with what a socket may cost the process bounded.

Used by `uvicorn --ws pingvas.core.websocket:BoundedWebSocket`. uvicorn's own protocol
holds a close frame back until the client reads what was sent before it, so a client
that never reads would neither learn why nor ever be let go.
"""

from __future__ import annotations

import logging
import socket
from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable
from typing import Any

from django.conf import settings
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import (
    WebSocketsSansIOProtocol,
)

# What clients send are pings of a few bytes.
LARGEST_INCOMING_BYTES = 4 * 1024
# The kernel would keep up to 4 MB for each socket that is not read.
KERNEL_BUFFER_BYTES = 256 * 1024
SECONDS_TO_READ_THE_CLOSE = 15


# Apart from the server's own, whose lines show addresses with their tickets.
log = logging.getLogger("pingvas.websocket")
log.setLevel(logging.WARNING)


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A protocol whose close frame always goes out, and whose sockets always end.

    leave_place: gives the place among its address's connections back.
    """

    leave_place: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, config: Any, *rest: Any, **options: Any) -> None:
        # Frames of a few hundred bytes: compressing costs more than it saves, and
        # every socket would hold the state of a compressor.
        config.ws_per_message_deflate = False
        config.ws_max_size = LARGEST_INCOMING_BYTES
        super().__init__(config, *rest, **options)
        self.logger = self.conn.logger = log
        self.conn.debug = False
        self._handshake_timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        one = transport.get_extra_info("socket")
        if one is not None and one.family in {socket.AF_INET, socket.AF_INET6}:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
        super().connection_made(transport)
        seconds = float(settings.CLIENT_GRACE_SECONDS)
        self._handshake_timer = self.loop.call_later(seconds, self._is_shaken)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.leave_place()
        if self._handshake_timer is not None:
            self._handshake_timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            self._refuse_handshake()

    async def send(self, message: Any) -> None:
        if self.close_sent:
            # The protocol itself ended it: a frame too large, a ping not answered.
            raise ClientDisconnected
        if message["type"] == "websocket.close":
            # A few bytes more in the buffer; nothing follows them.
            self.writable.set()
            self._end_soon()
        await super().send(message)

    def keepalive_timeout(self) -> None:
        self._end_soon()
        super().keepalive_timeout()

    def shutdown(self) -> None:
        self._end_soon()
        super().shutdown()

    def _refuse_handshake(self) -> None:
        """Answer a request that the protocol could not read, and forgot to answer.

        It comes whole, so there is nothing to wait for.
        """
        self.handshake_complete = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
        self._end_soon()

    def _is_shaken(self) -> None:
        if not self.handshake_complete:
            self.transport.abort()

    def _end_soon(self) -> None:
        # A transport with unread bytes stays open for as long as its client likes.
        self.loop.call_later(SECONDS_TO_READ_THE_CLOSE, self.transport.abort)
