"""What uvicorn does with a client that does not read, in its way and in ours."""

from __future__ import annotations

import asyncio
import base64
import os
from contextlib import asynccontextmanager
from socket import SO_SNDBUF, SOL_SOCKET

import pytest
from uvicorn import Config, Server
from uvicorn.protocols.websockets.websockets_sansio_impl import (
    WebSocketsSansIOProtocol,
)
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from pingvas.core import websocket
from pingvas.core.websocket import LARGEST_INCOMING_BYTES, BoundedWebSocket

TOO_SLOW = 4008
PIECE = 50_000


class Chatter:
    """Sends without end; once it is held back, it closes the socket."""

    def __init__(self):
        self.sent_bytes = 0
        self.close_was_sent = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        piece = base64.b64encode(os.urandom(PIECE)).decode()
        try:
            while True:
                async with asyncio.timeout(0.5):
                    await send({"type": "websocket.send", "text": piece})
                self.sent_bytes += len(piece)
        except TimeoutError:
            await send({"type": "websocket.close", "code": TOO_SLOW})
            self.close_was_sent.set()


@asynccontextmanager
async def serving(app, protocol):
    config = Config(app, port=0, ws=protocol, lifespan="off", log_config=None)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    server.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        if server.servers[0].is_serving():
            await server.shutdown()


@asynccontextmanager
async def sleeping_client(port):
    """Shakes hands and never reads again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def until(is_so, seconds):
    for _ in range(int(seconds / 0.05)):
        if is_so():
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_client_that_never_reads_is_let_go(monkeypatch):
    monkeypatch.setattr(websocket, "SECONDS_TO_READ_THE_CLOSE", 0.5)
    app = Chatter()
    async with (
        serving(app, BoundedWebSocket) as server,
        sleeping_client(server.port),
    ):
        await asyncio.wait_for(app.close_was_sent.wait(), 10)
        assert await until(lambda: not server.server_state.connections, 5)


async def test_without_our_protocol_it_would_keep_its_socket():
    app = Chatter()
    async with (
        serving(app, WebSocketsSansIOProtocol) as server,
        sleeping_client(server.port),
    ):
        assert await until(lambda: app.sent_bytes > 0, 5)
        await asyncio.sleep(2)
        assert not app.close_was_sent.is_set()
        assert len(server.server_state.connections) == 1


async def test_a_client_that_wakes_up_is_told_why():
    app = Chatter()
    async with (
        serving(app, BoundedWebSocket) as server,
        sleeping_client(server.port) as (reader, writer),
    ):
        await asyncio.wait_for(app.close_was_sent.wait(), 10)
        writer.transport.resume_reading()
        received = await asyncio.wait_for(read_up_to_close(reader), 10)
    assert received == TOO_SLOW


async def read_up_to_close(reader):
    """The code of the close frame behind what was sent before it."""
    while True:
        kind, length = await reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await reader.readexactly(8), "big")
        content = await reader.readexactly(length)
        if kind & 0x0F == 8:
            return int.from_bytes(content[:2], "big")


async def test_the_kernel_keeps_little_for_a_client_that_does_not_read():
    app = Chatter()
    async with (
        serving(app, BoundedWebSocket) as server,
        sleeping_client(server.port),
    ):
        [connection] = server.server_state.connections
        kept = connection.transport.get_extra_info("socket").getsockopt(
            SOL_SOCKET, SO_SNDBUF
        )
        # Linux doubles what was asked for, for its own bookkeeping.
        assert kept <= 2 * websocket.KERNEL_BUFFER_BYTES
        await asyncio.wait_for(app.close_was_sent.wait(), 10)


@pytest.mark.parametrize("length", [LARGEST_INCOMING_BYTES + 1, 1_000_000])
async def test_a_large_frame_ends_the_socket(length):
    async def listen(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with serving(listen, BoundedWebSocket) as server:
        address = f"ws://127.0.0.1:{server.port}/"
        async with connect(address, proxy=None) as client:
            assert client.protocol.extensions == []
            await client.send("x" * length)
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
    assert closed.value.rcvd.code == 1009


async def test_an_application_hears_that_the_protocol_ended_the_socket():
    heard = []

    async def chat(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "hello"})
                await asyncio.sleep(0)
        except OSError as error:
            heard.append(error)

    async with (
        serving(chat, BoundedWebSocket) as server,
        connect(f"ws://127.0.0.1:{server.port}/", proxy=None) as client,
    ):
        await client.send("x" * (LARGEST_INCOMING_BYTES + 1))
        assert await until(lambda: heard, 5)


async def test_stopping_the_server_does_not_wait_for_a_client_that_sleeps(monkeypatch):
    monkeypatch.setattr(websocket, "SECONDS_TO_READ_THE_CLOSE", 0.5)
    app = Chatter()
    async with (
        serving(app, BoundedWebSocket) as server,
        sleeping_client(server.port),
    ):
        assert await until(lambda: app.sent_bytes > 0, 5)
        await asyncio.wait_for(server.shutdown(), 5)
        assert not server.server_state.connections
