"""The WebSocket side of uvicorn, with what a socket may cost the process bounded.

Used by `uvicorn --ws pingvas.core.websocket:BoundedWebSocket`. uvicorn's own protocol
holds a close frame back until the client reads what was sent before it, so a client
that never reads would neither learn why nor ever be let go.
"""

from __future__ import annotations

import socket
from asyncio import BaseTransport
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import (
    WebSocketsSansIOProtocol,
)

# What clients send are pings of a few bytes.
LARGEST_INCOMING_BYTES = 4 * 1024
# The kernel would keep up to 4 MB for each socket that is not read.
KERNEL_BUFFER_BYTES = 256 * 1024
SECONDS_TO_READ_THE_CLOSE = 15


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A protocol whose close frame always goes out, and whose sockets always end."""

    def __init__(self, config: Any, *rest: Any, **options: Any) -> None:
        # Frames of a few hundred bytes: compressing costs more than it saves, and
        # every socket would hold the state of a compressor.
        config.ws_per_message_deflate = False
        config.ws_max_size = LARGEST_INCOMING_BYTES
        super().__init__(config, *rest, **options)

    def connection_made(self, transport: BaseTransport) -> None:
        one = transport.get_extra_info("socket")
        if one is not None and one.family in {socket.AF_INET, socket.AF_INET6}:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
        super().connection_made(transport)

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

    def _end_soon(self) -> None:
        # A transport with unread bytes stays open for as long as its client likes.
        self.loop.call_later(SECONDS_TO_READ_THE_CLOSE, self.transport.abort)
