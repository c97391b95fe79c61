"""What may be sent, and how slowly: decided before a thread is taken."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
import tempfile
from contextlib import asynccontextmanager
from io import FileIO

import pytest
from django.urls import get_resolver

from pingvas.core.serving import assembly, refusals
from pingvas.core.serving.assembly import assemble
from pingvas.core.serving.bodies import (
    LARGEST_BODIES,
    LARGEST_FORM,
    LARGEST_JSON,
    LARGEST_UPLOAD,
    largest_body,
)
from pingvas.core.serving.holds import LARGEST_IN_MEMORY, Store
from pingvas.core.threads import ThreadedApplication

KILOBYTE = 1024
MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def linger_shortly(monkeypatch):
    monkeypatch.setattr(refusals, "LINGER_SECONDS", 0.05)


@pytest.fixture
def small_bodies(monkeypatch):
    """As if nothing were sent here but JSON: for a store that is as small."""
    monkeypatch.setattr(assembly, "LARGEST_BODY", LARGEST_JSON)


class Sender:
    """A client that sends `parts`, and then nothing for as long as it is let."""

    def __init__(self, *parts, is_whole=True):
        self.parts = list(parts)
        self.is_whole = is_whole
        self.asked = 0
        self.is_silent = asyncio.Event()
        self.sent = []

    async def receive(self):
        self.asked += 1
        if not self.parts:
            self.is_silent.set()
            await asyncio.Event().wait()
        body = self.parts.pop(0)
        more = bool(self.parts) or not self.is_whole
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(self, message):
        self.sent.append(message)

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return dict(self.sent[0]["headers"])

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def error(self):
        return json.loads(self.body)["error"]


def top_routes():
    """Of every route, as far as it is written out."""
    return [
        str(entry.pattern) + str(inner.pattern)
        for entry in get_resolver().url_patterns
        for inner in getattr(entry, "url_patterns", [entry])
    ]


def large_answer(environ, start_response):
    start_response("200 OK", [])
    return iter([b"x" * MEGABYTE] * 3)


def echo(environ, start_response):
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


async def post(sender, path="/api/v1/jobs", *, store=None, grace=10.0, **headers):
    application = ThreadedApplication(echo, threads=1, bodies=store, grace=grace)
    return await post_to(application, sender, path, **headers)


async def post_to(
    application, sender, path="/api/v1/jobs", *, client="192.0.2.1", **headers
):
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "client": (client, 4711),
        "headers": [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in headers.items()
        ],
    }
    await application(scope, sender.receive, sender.send)
    return sender


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/sign-in", LARGEST_FORM),
        ("/admin/login/", LARGEST_FORM),
        ("/i18n/setlang/", LARGEST_FORM),
        ("/api/v1/jobs", LARGEST_JSON),
        ("/webhooks/billing", LARGEST_FORM),
        ("/api/v1/images", LARGEST_JSON),
        ("/api/v1/images/settings", LARGEST_UPLOAD),
        ("/api/v1/uploads", LARGEST_UPLOAD),
        ("*", LARGEST_FORM),
    ],
)
async def test_each_path_has_its_largest_body(path, most):
    assert largest_body(path) == most
    parts = [b"x" * (64 * KILOBYTE)] * (most // (64 * KILOBYTE))
    fits = await post(Sender(*parts), path, transfer_encoding="chunked")
    assert (fits.status, len(fits.body)) == (200, most)
    over = await post(Sender(*parts, b"x"), path, transfer_encoding="chunked")
    assert over.status == 413


async def test_a_length_that_is_too_much_is_refused_before_a_byte_is_read():
    sender = Sender(is_whole=False)
    await post(sender, content_length=str(LARGEST_JSON + 1), expect="100-continue")
    assert sender.asked == 0
    assert (sender.status, sender.error["code"]) == (413, "request_too_large")
    assert sender.headers[b"connection"] == b"close"


async def test_what_is_on_its_way_is_thrown_away_so_that_the_answer_arrives():
    sender = Sender(*[b"x" * MEGABYTE] * 30)
    await post(sender, content_length=str(30 * MEGABYTE))
    assert (sender.status, sender.parts) == (413, [])


async def test_a_body_that_does_not_get_on_is_refused():
    sender = Sender(b"four", is_whole=False)
    await post(sender, content_length="1000", grace=0.05)
    assert (sender.status, sender.error["code"]) == (408, "request_too_slow")
    assert sender.headers[b"connection"] == b"close"


async def test_a_body_that_keeps_the_least_rate_is_waited_for():
    class Steady(Sender):
        async def receive(self):
            await asyncio.sleep(0.05)
            return await super().receive()

    # Four times the grace in all, at 20 kB a second.
    parts = [b"x" * KILOBYTE] * 8
    sender = await post(Steady(*parts), content_length="8192", grace=0.1)
    assert (sender.status, len(sender.body)) == (200, 8 * KILOBYTE)


async def test_a_fast_beginning_does_not_buy_a_long_rest():
    sender = Sender(b"x" * 500_000, is_whole=False)
    async with asyncio.timeout(5):
        # At 2 kB a second, half a megabyte would be worth four minutes.
        await post(sender, content_length="600000", grace=0.05)
    assert sender.status == 408


async def test_a_large_body_waits_in_a_file_without_a_name(tmp_path):
    store = Store(memory=LARGEST_IN_MEMORY, files=2 * MEGABYTE, folder=str(tmp_path))
    seen = []

    def look(environ, start_response):
        seen.append((store.memory.left, store.files.left, list(tmp_path.iterdir())))
        return echo(environ, start_response)

    sender = Sender(*[b"x" * 100_000] * 6)
    application = ThreadedApplication(look, threads=1, bodies=store)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/api/v1/jobs",
        "query_string": b"",
        "headers": [(b"content-length", b"600000")],
    }
    await application(scope, sender.receive, sender.send)
    assert (sender.status, len(sender.body)) == (200, 600_000)
    assert seen == [(LARGEST_IN_MEMORY, 2 * MEGABYTE - 600_000, [])]
    assert (store.memory.left, store.files.left) == (LARGEST_IN_MEMORY, 2 * MEGABYTE)


async def test_all_bodies_together_have_an_end():
    store = Store(memory=100_000, files=500_000)
    waiting = Sender(b"x" * 450_000, is_whole=False)
    running = asyncio.create_task(post(waiting, store=store, content_length="500000"))
    await waiting.is_silent.wait()
    refused = await post(Sender(b"x" * 200_000), store=store)
    assert (refused.status, refused.error["code"]) == (503, "too_busy")
    assert refused.headers[b"retry-after"] == b"10"
    # A form is a few bytes, and finds room.
    assert (await post(Sender(b"x" * 1000), store=store)).status == 200
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await post(Sender(b"x" * 200_000), store=store)).status == 200


def test_every_line_of_the_largest_bodies_has_a_route_that_takes_one():
    paths = [f"/{name}" for name in top_routes()]
    for prefix, _ in LARGEST_BODIES:
        assert any(path.startswith(prefix) for path in paths), prefix


@asynccontextmanager
async def all_held(application, clients, size):
    """While slow senders hold `size` bytes each: how many do, and who was refused."""
    held, refused = [], None
    try:
        for client in clients:
            sender = Sender(b"x" * size, is_whole=False)
            sending = post_to(
                application, sender, client=client, content_length=str(size + 1)
            )
            held.append(asyncio.create_task(sending))
            # Also of one that was refused, what it has still to send is waited for.
            await sender.is_silent.wait()
            if sender.sent:
                refused = sender
                break
        yield len(held) - 1, refused
    finally:
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


# Of IPv6 one client has a whole network.
@pytest.mark.parametrize(
    "clients", [["192.0.2.1"], ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:0:3::"]]
)
async def test_an_address_that_holds_all_it_can_leaves_the_others_room(
    settings, clients, small_bodies
):
    settings.SPOOL_BYTES = 16 * MEGABYTE
    application = assemble(echo)
    forever = itertools.cycle(clients)
    async with all_held(application, forever, 200_000) as (count, refused):
        assert refused.status == 503
        # An eighth of eight megabytes in files, and of two in memory.
        assert count == 5 + 1
        for client in ("198.51.100.1", "2001:db8:0:1::1"):
            # As large as may be, there and back again.
            other = await post_to(application, Sender(b"x" * MEGABYTE), client=client)
            assert (other.status, len(other.body)) == (200, MEGABYTE)
    again = await post_to(application, Sender(b"x" * MEGABYTE), client=clients[0])
    assert again.status == 200


async def test_bodies_that_take_all_their_room_leave_that_of_answers(
    settings, small_bodies
):
    settings.SPOOL_BYTES = 16 * MEGABYTE
    application = assemble(large_answer)
    many = [f"192.0.2.{number}" for number in range(100)]
    async with all_held(application, many, 500_000) as (count, refused):
        assert (refused.status, count) == (503, 8 * MEGABYTE // 500_000)
        answer = await post_to(application, Sender(b""), client="198.51.100.1")
        assert (answer.status, len(answer.body)) == (200, 3 * MEGABYTE)


def no_room(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE])
async def test_who_finds_the_disk_full_is_told_to_come_again(monkeypatch, number):
    monkeypatch.setattr(tempfile, "TemporaryFile", no_room(number))
    stores = [Store(memory=400_000, files=MEGABYTE) for _ in range(2)]
    bodies, answers = stores
    for application in (echo, large_answer):
        threads = ThreadedApplication(
            application, threads=1, bodies=bodies, answers=answers
        )
        size = 0 if application is large_answer else 300_000
        refused = await post_to(threads, Sender(b"x" * size))
        assert (refused.status, refused.error["code"]) == (503, "too_busy")
    for store in stores:
        assert (store.memory.left, store.files.left) == (400_000, MEGABYTE)


async def test_a_disk_that_fills_while_a_body_is_written_is_no_error_of_ours(tmp_path):
    # The kernel takes what fits, and says so at the next piece.
    class Full(FileIO):
        def write(self, content):
            if self.tell() >= 400_000:
                no_room(errno.ENOSPC)()
            return super().write(content[:100_000])

    store = Store(memory=0, files=MEGABYTE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tempfile, "TemporaryFile", lambda **_: Full(tmp_path / "body", "w+")
        )
        fits = await post(Sender(b"x" * 350_000, b"y"), store=store)
        refused = await post(Sender(b"x" * 350_000, b"y" * 100_000), store=store)
    assert fits.body == b"x" * 350_000 + b"y"
    assert (refused.status, refused.error["code"]) == (503, "too_busy")
    assert store.files.left == MEGABYTE


async def test_people_get_a_short_page_in_their_language():
    text, words = "This request is too large.", "요청이 너무 큽니다."
    length = str(LARGEST_FORM + 1)
    korean, english = [
        await post(Sender(b""), "/sign-in", content_length=length, accept_language=name)
        for name in ("ko", "en")
    ]
    assert words in korean.body.decode()
    assert 'lang="ko"' in korean.body.decode()
    assert text in english.body.decode()
    assert korean.headers[b"content-type"] == b"text/html; charset=utf-8"
    assert korean.headers[b"content-security-policy"] == b"default-src 'none'"


async def test_the_application_learns_how_long_a_body_in_chunks_is():
    def tell(environ, start_response):
        start_response("200 OK", [])
        return [environ["CONTENT_LENGTH"].encode()]

    sender = Sender(b"abc", b"de")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/sign-in",
        "query_string": b"",
        "headers": [(b"transfer-encoding", b"chunked")],
    }
    application = ThreadedApplication(tell, threads=1)
    await application(scope, sender.receive, sender.send)
    assert sender.body == b"5"


async def test_two_lengths_are_refused():
    sender = Sender(b"abc")
    await post(sender, content_length="3", transfer_encoding="chunked")
    assert (sender.status, sender.error["code"]) == (400, "ambiguous_length")
    assert sender.headers[b"connection"] == b"close"
