"""The HTTP side of uvicorn, for several processes behind one socket.

Used by `uvicorn --http pingvas.core.http:PromptHttp`.
"""

from __future__ import annotations

import socket
from asyncio import Transport

from uvicorn.protocols.http.h11_impl import H11Protocol


class PromptHttp(H11Protocol):
    """Sends an answer's body at once, without waiting for its head to be confirmed.

    asyncio sees to that only for sockets that it opened itself. Those that processes
    share come from their parent: a kept connection then waited 40 ms an answer.
    """

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        one = transport.get_extra_info("socket")
        if one is not None and one.family in {socket.AF_INET, socket.AF_INET6}:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
