"""What several web processes behind one socket do with a kept connection."""

from __future__ import annotations

import asyncio
import socket

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from pingvas.core.http import PromptHttp


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def waits_for_the_client(protocol):
    """Whether the kernel holds small writes back on a socket that a parent opened."""
    seen = []

    class Watched(protocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            one = transport.get_extra_info("socket")
            seen.append(not one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    # As uvicorn's parent opens the one that its processes share.
    shared = socket.socket(socket.AF_INET)
    shared.bind(("127.0.0.1", 0))
    shared.listen()
    config = Config(answer, http=Watched, lifespan="off", log_level="warning")
    server = Server(config)
    running = asyncio.create_task(server.serve(sockets=[shared]))
    reader, writer = await asyncio.open_connection(*shared.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b" 204 " in await reader.read()
    writer.close()
    server.should_exit = True
    await running
    return seen[0]


async def test_an_answer_is_sent_at_once():
    assert not await waits_for_the_client(PromptHttp)


async def test_control_uvicorn_alone_would_wait():
    assert await waits_for_the_client(H11Protocol)
