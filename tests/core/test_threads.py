"""A WSGI application on kept threads, as uvicorn calls it."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest
from a2wsgi import WSGIMiddleware

from pingvas.core.threads import HELD_BYTES, ThreadedApplication

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


async def test_a_body_that_nobody_wants_is_not_fetched():
    def refuse(environ, start_response):
        start_response("413 Content Too Large", [])
        return [b"too much"]

    # Asking for more would end in StopIteration.
    first = {"type": "http.request", "body": b"a", "more_body": True}
    head, body = await ask(on_threads(refuse), first)
    assert (head["status"], body["body"]) == (413, b"too much")


async def test_a_client_that_went_before_it_asked_costs_no_thread():
    assert await ask(on_threads(echo), {"type": "http.disconnect"}) == []


async def test_a_long_answer_is_not_read_ahead_of_a_slow_client():
    made, arrived, may_go_on = [], asyncio.Event(), asyncio.Event()

    def long(environ, start_response):
        start_response("200 OK", [])
        for number in range(8):
            made.append(number)
            yield bytes([number]) * (HELD_BYTES // 2)

    received = []

    async def slow(message):
        received.append(message)
        if len(received) == 2:
            arrived.set()
            await may_go_on.wait()

    running = asyncio.create_task(ask(on_threads(long), send=slow))
    await arrived.wait()
    # Time for the thread to run ahead, if it could.
    await asyncio.sleep(0.1)
    assert len(made) <= 4
    may_go_on.set()
    await running
    body = b"".join(message.get("body", b"") for message in received)
    assert body == b"".join(bytes([n]) * (HELD_BYTES // 2) for n in range(8))
    assert [message.get("more_body") for message in received[-2:]] == [True, False]


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
