"""What our protocol does with connections, beside what uvicorn's own does."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import asynccontextmanager

import pytest
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from pingvas.core import http
from pingvas.core.http import PromptHttp
from pingvas.core.serving.door import Door
from pingvas.core.serving.pace import ClientGone
from pingvas.core.websocket import BoundedWebSocket

GRACE = 0.1
# Long enough for every deadline that follows from the grace.
PATIENCE = 5


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


@pytest.fixture(autouse=True)
def short_grace(settings):
    settings.CLIENT_GRACE_SECONDS = GRACE


@asynccontextmanager
async def serving(app, protocol=PromptHttp):
    """A server of `app`; yields its port. Its connections end with the block."""
    config = Config(
        app, port=0, http=protocol, ws=BoundedWebSocket, lifespan="off", log_config=None
    )
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await server.shutdown()


@asynccontextmanager
async def client(port, said=b"", address="127.0.0.1"):
    """A client that has said something, and reads when it is told to."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    one.settimeout(0)
    one.bind((address, 0))
    await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=one, limit=16 * 1024)
    writer.write(said)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def rest_of(reader):
    """What comes until the server ends the connection; None: it does not."""
    found = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while piece := await reader.read(64 * 1024):
                found += piece
    except TimeoutError:
        return None
    except ConnectionResetError:
        pass
    return found


async def until(is_so):
    for _ in range(2 * PATIENCE * 50):
        if is_so():
            return True
        await asyncio.sleep(0.02)
    return False


HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_a_head_that_does_not_come_is_answered_and_its_connection_ends():
    async with serving(answer) as port, client(port, HALF_A_HEAD) as (reader, _):
        assert (await rest_of(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_connection_on_which_nothing_comes_ends():
    async with serving(answer) as port, client(port) as (reader, _):
        assert await rest_of(reader) == b""


async def test_the_second_head_of_a_connection_has_its_seconds_too():
    async with serving(answer) as port, client(port, WHOLE) as (reader, writer):
        assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(HALF_A_HEAD)
        assert (await rest_of(reader)).startswith(b"HTTP/1.1 408 ")


async def test_control_uvicorn_alone_waits_for_a_head_for_ever(monkeypatch):
    monkeypatch.setattr(f"{__name__}.PATIENCE", 5 * GRACE)
    async with (
        serving(answer, H11Protocol) as port,
        client(port, HALF_A_HEAD) as (reader, _),
    ):
        assert await rest_of(reader) is None


async def test_a_head_in_time_is_answered_however_long_the_answer_takes():
    async def ponder(scope, receive, send):
        await asyncio.sleep(2 * GRACE)
        await answer(scope, receive, send)

    async with serving(ponder) as port, client(port, WHOLE) as (reader, _):
        assert b" 204 " in await reader.readuntil(b"\r\n\r\n")


class Endless:
    """Sends without end, and notes how it ended."""

    def __init__(self):
        self.ended_by = None
        self.has_ended = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                body = b"x" * 65536
                message = {"type": "http.response.body", "body": body}
                await send(message | {"more_body": True})
        except BaseException as error:
            self.ended_by = type(error)
            self.has_ended.set()
            raise


async def test_a_client_that_takes_nothing_is_left():
    app = Endless()
    async with serving(app) as port, client(port, WHOLE) as (_, writer):
        writer.transport.pause_reading()
        async with asyncio.timeout(PATIENCE):
            await app.has_ended.wait()
    assert app.ended_by is ClientGone


async def test_a_client_that_reads_is_served_however_long_it_takes():
    app = Endless()
    async with serving(app) as port, client(port, WHOLE) as (reader, _):
        for _ in range(40):
            assert await reader.read(32 * 1024)
            await asyncio.sleep(GRACE / 8)
        assert not app.has_ended.is_set()


async def test_the_last_bytes_of_an_answer_have_an_end_too():
    """They wait in the server when the application has long gone on."""
    count = 40_000_000

    async def long(scope, receive, send):
        length = (b"content-length", str(count).encode())
        head = {"type": "http.response.start", "status": 200, "headers": [length]}
        await send(head)
        await send({"type": "http.response.body", "body": b"x" * count})

    async with serving(long) as port, client(port, WHOLE) as (_, writer):
        writer.transport.pause_reading()
        assert await until(lambda: len(http.connections) == 1)
        assert await until(lambda: len(http.connections) == 0)


async def test_what_is_sent_after_an_early_answer_is_not_read_for_ever():
    said = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabcd"
    async with serving(answer) as port, client(port, said) as (reader, _):
        assert b" 204 " in await rest_of(reader)


async def test_an_address_has_so_many_connections_and_others_have_theirs(settings):
    settings.CONNECTIONS_PER_ADDRESS = 3
    async with serving(answer) as port:
        async with (
            client(port, WHOLE) as (first, _),
            client(port, WHOLE),
            client(port, WHOLE),
        ):
            assert b" 204 " in await first.readuntil(b"\r\n\r\n")
            async with client(port, WHOLE) as (fourth, _):
                assert (await rest_of(fourth)).startswith(b"HTTP/1.1 429 ")
            async with client(port, WHOLE, "127.0.0.2") as (other, _):
                assert b" 204 " in await other.readuntil(b"\r\n\r\n")
        assert await until(lambda: len(http.connections) == 0)
        async with client(port, WHOLE) as (again, _):
            assert b" 204 " in await again.readuntil(b"\r\n\r\n")


async def test_a_named_proxy_has_as_many_connections_as_it_needs(settings):
    settings.CONNECTIONS_PER_ADDRESS = 1
    settings.BEHIND_TLS_PROXY = True
    async with (
        serving(answer) as port,
        client(port, WHOLE),
        client(port, WHOLE) as (second, _),
    ):
        assert b" 204 " in await second.readuntil(b"\r\n\r\n")


async def test_nonsense_after_an_answer_has_begun_ends_the_connection():
    begun = asyncio.Event()

    async def slow(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        await receive()
        await receive()

    said = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(slow) as port, client(port, said) as (reader, writer):
        await begun.wait()
        writer.write(b"no chunk\r\n")
        assert await rest_of(reader) is not None


async def test_a_request_with_two_lengths_is_refused_and_its_connection_ends():
    said = (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    served = []

    async def note(scope, receive, send):
        served.append(scope["method"])
        await answer(scope, receive, send)

    async with serving(Door(note)) as port, client(port, said) as (reader, _):
        found = await rest_of(reader)
    assert found.startswith(b"HTTP/1.1 400 ")
    assert (found.count(b"HTTP/1.1 "), served) == (1, [])


HANDSHAKE = (
    b" HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


async def chat(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /?" + b"a" * 9000 + HANDSHAKE, b"414"),
        (b"GET /" + HANDSHAKE + b"X-Long: " + b"a" * 9000 + b"\r\n", b"431"),
        (b"GET /" + HANDSHAKE + b"X-One: 1\r\n" * 200, b"431"),
    ],
    ids=["address", "header", "headers"],
)
async def test_a_handshake_that_is_too_large_is_answered_and_ends(said, status):
    async with serving(chat) as port, client(port, said + b"\r\n") as (reader, _):
        assert (await rest_of(reader)).startswith(b"HTTP/1.1 " + status)


async def test_a_handshake_that_nobody_completes_ends():
    async def hang(scope, receive, send):
        while (await receive())["type"] != "websocket.disconnect":
            pass

    said = b"GET /" + HANDSHAKE + b"\r\n"
    async with serving(hang) as port, client(port, said) as (reader, _):
        assert await rest_of(reader) == b""


async def test_a_socket_keeps_its_place_among_the_connections_of_its_address(settings):
    settings.CONNECTIONS_PER_ADDRESS = 1
    said = b"GET /" + HANDSHAKE + b"\r\n"
    async with serving(chat) as port:
        async with client(port, said) as (reader, _):
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            # Longer than a handshake may take: an open socket stays.
            await asyncio.sleep(2 * GRACE)
            async with client(port, WHOLE) as (other, _):
                assert (await rest_of(other)).startswith(b"HTTP/1.1 429 ")
            assert not reader.at_eof()
        assert await until(lambda: len(http.connections) == 0)


async def test_no_line_of_the_log_shows_the_ticket_of_a_socket(caplog):
    caplog.set_level(logging.DEBUG)
    said = b"GET /?token=secret" + HANDSHAKE + b"\r\n"
    async with serving(chat) as port, client(port, said) as (reader, _):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    assert "secret" not in caplog.text
