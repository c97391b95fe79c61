"""A WSGI application on kept threads, as uvicorn calls it."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest
from a2wsgi import WSGIMiddleware

from pingvas.core.serving.answers import PIECE
from pingvas.core.serving.holds import LARGEST_IN_MEMORY, Store
from pingvas.core.serving.pace import ClientGone
from pingvas.core.threads import STUCK_SECONDS, Occupancy, ThreadedApplication

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "path": "/somewhere",
    "query_string": b"",
    "headers": [],
}
WHOLE = {"type": "http.request", "body": b"ready", "more_body": False}


async def ask(application, *messages, send=None):
    """What the application sends, given these messages of the client's."""
    incoming, sent = iter(messages or [WHOLE]), []

    async def receive():
        return next(incoming)

    async def keep(message):
        sent.append(message)

    await application(SCOPE, receive, send or keep)
    return sent


def on_threads(application, threads=1):
    return ThreadedApplication(application, threads=threads)


def echo(environ, start_response):
    start_response("201 Created", [("Set-Cookie", " theme=dark")])
    return [b"got ", environ["wsgi.input"].read()]


async def test_a_short_answer_is_sent_as_a_whole():
    head, body = await ask(on_threads(echo))
    assert head == {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"set-cookie", b"theme=dark")],
    }
    assert body == {
        "type": "http.response.body",
        "body": b"got ready",
        "more_body": False,
    }


async def crossings(application, monkeypatch):
    """How often threads wake the loop for one request."""
    counted = []
    loop = asyncio.get_running_loop()
    plain = loop.call_soon_threadsafe

    def count(*call, **options):
        counted.append(threading.current_thread().name)
        return plain(*call, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", count)
    await ask(application)
    return len(counted)


async def test_a_short_request_comes_back_from_its_thread_once(monkeypatch):
    assert await crossings(on_threads(echo), monkeypatch) == 1


async def test_control_a2wsgi_goes_back_and_forth(monkeypatch):
    assert await crossings(WSGIMiddleware(echo), monkeypatch) > 4


async def test_a_body_in_parts_is_read_in_order():
    parts = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": True},
        {"type": "http.request", "body": b"c", "more_body": False},
    ]
    assert (await ask(on_threads(echo), *parts))[1]["body"] == b"got abc"


async def test_no_thread_is_taken_before_the_body_is_whole():
    calls, rest = [], asyncio.Event()

    def note(environ, start_response):
        calls.append(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return []

    parts = iter([b"a", b"b"])

    async def receive():
        part = next(parts)
        if part == b"b":
            await rest.wait()
        return {"type": "http.request", "body": part, "more_body": part == b"a"}

    async def send(message):
        pass

    running = asyncio.create_task(on_threads(note)(SCOPE, receive, send))
    await asyncio.sleep(0.05)
    assert calls == []
    rest.set()
    await running
    assert calls == [b"ab"]


async def test_a_client_that_went_before_it_asked_costs_no_thread():
    assert await ask(on_threads(echo), {"type": "http.disconnect"}) == []


@pytest.mark.parametrize("length", [1000, LARGEST_IN_MEMORY, 3_000_000])
async def test_a_thread_is_free_before_a_slow_client_has_its_answer(length):
    """One thread: the second request is answered while the first one's client rests."""
    piece = b"abcd" * (length // 40)

    def long(environ, start_response):
        start_response("200 OK", [])
        return iter([piece] * 10)

    application, received, may_go_on = on_threads(long), [], asyncio.Event()

    async def slow(message):
        await may_go_on.wait()
        received.append(message)

    waiting = asyncio.create_task(ask(application, send=slow))
    answer = await ask(application)
    assert not received
    may_go_on.set()
    await waiting
    for messages in (answer, received):
        parts = [message.get("body", b"") for message in messages]
        assert b"".join(parts) == piece * 10
        assert max(map(len, parts)) <= LARGEST_IN_MEMORY
        assert not messages[-1].get("more_body")


async def test_an_answer_that_finds_no_room_is_refused_and_nothing_of_it_sent():
    def long(environ, start_response):
        start_response("200 OK", [])
        return iter([b"x" * 1000] * 100)

    store = Store(memory=1000, files=50_000)
    application = ThreadedApplication(long, threads=1, answers=store)
    head, *_ = await ask(application)
    assert head["status"] == 503
    assert (b"retry-after", b"10") in head["headers"]
    assert (store.memory.left, store.files.left) == (1000, 50_000)


@pytest.mark.parametrize("memory", [0, 250_000, 2_000_000])
async def test_an_answer_in_a_file_arrives_whole_whatever_its_chunks(memory):
    chunks = [b"a" * 200_000, b"b" * 100_000, b"c" * 100, b"", b"d"]

    def long(environ, start_response):
        start_response("200 OK", [])
        return iter(chunks)

    store = Store(memory=memory, files=2_000_000)
    sent = await ask(ThreadedApplication(long, threads=1, answers=store))
    content = b"".join(message.get("body", b"") for message in sent)
    assert content == b"".join(chunks)
    assert (store.memory.left, store.files.left) == (memory, 2_000_000)


@pytest.mark.parametrize("size", [PIECE // 2, 10 * PIECE + 1])
async def test_a_file_goes_to_the_client_without_a_thread(tmp_path, size):
    path = tmp_path / "picture.png"
    path.write_bytes(content := bytes(range(250)) * (size // 250))
    closed_by = []

    def serve_file(environ, start_response):
        start_response("200 OK", [])
        file = path.open("rb")

        class Watched(environ["wsgi.file_wrapper"]):
            def close(self):
                closed_by.append(threading.current_thread().name)
                super().close()

        return Watched(file, 4096)

    sent = await ask(on_threads(serve_file))
    assert b"".join(message.get("body", b"") for message in sent) == content
    # In the thread, whose connection to the database is given back then.
    assert closed_by == ["http_0"]


async def test_of_a_file_that_is_only_asked_about_nothing_is_read(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"x" * (2 * PIECE))

    def serve_file(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](path.open("rb"), 4096)

    sent = []

    async def receive():
        return WHOLE

    async def keep(message):
        sent.append(message)

    await on_threads(serve_file)({**SCOPE, "method": "HEAD"}, receive, keep)
    assert [message.get("body") for message in sent] == [None, b""]


async def test_what_was_held_is_released_when_the_client_leaves():
    def long(environ, start_response):
        start_response("200 OK", [])
        return iter([b"x" * 100_000] * 10)

    async def leave(message):
        raise ClientGone

    store = Store(memory=500_000, files=2_000_000)
    application = ThreadedApplication(long, threads=1, answers=store)
    with pytest.raises(ClientGone):
        await ask(application, send=leave)
    assert (store.memory.left, store.files.left) == (500_000, 2_000_000)


def test_health_fails_only_while_requests_wait_and_none_gets_on():
    now = [0.0]
    occupancy = Occupancy(2, lambda: now[0])
    now[0] += 10 * STUCK_SECONDS
    for _ in range(2):
        occupancy.enter()
    now[0] += 10 * STUCK_SECONDS
    # Long at work, but nobody waits.
    assert not occupancy.is_stuck
    occupancy.enter()
    assert not occupancy.is_stuck
    now[0] += STUCK_SECONDS + 1
    assert occupancy.is_stuck
    occupancy.leave()
    occupancy.enter()
    assert not occupancy.is_stuck
    now[0] += STUCK_SECONDS + 1
    assert occupancy.is_stuck


async def test_a_request_finds_nothing_of_the_one_before_on_its_thread():
    whose = ContextVar("whose", default="nobody")

    def remember(environ, start_response):
        before = whose.get()
        whose.set("alice")
        start_response("200 OK", [])
        return [before.encode()]

    application = on_threads(remember)
    for _ in range(2):
        assert (await ask(application))[1]["body"] == b"nobody"


async def test_an_answer_that_breaks_is_closed_and_told_to_the_server():
    closed = []

    class Broken:
        def __iter__(self):
            yield b"half"
            raise RuntimeError("gone")

        def close(self):
            closed.append(True)

    def half(environ, start_response):
        start_response("200 OK", [])
        return Broken()

    with pytest.raises(RuntimeError, match="gone"):
        await ask(on_threads(half))
    assert closed == [True]
