"""Who is believed to come, how many of them, and what the log says about it."""

from __future__ import annotations

import asyncio
import json
import logging
from ipaddress import ip_network

import pytest
from django.urls import path

from pingvas.core.serving import clients
from pingvas.core.serving.clients import identified, true_address
from pingvas.core.serving.door import TOO_MANY_SOCKETS, Door
from pingvas.core.serving.routes import Routes
from pingvas.log import JsonFormatter, current_request_id


@pytest.fixture
def proxy(settings):
    settings.BEHIND_TLS_PROXY = True
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def request_of(address="192.0.2.1", **changes):
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/somewhere",
        "raw_path": b"/somewhere",
        "query_string": b"",
        "headers": [],
        "client": (address, 4711),
    }
    return scope | changes


async def nothing_comes():
    return {"type": "http.request", "body": b"", "more_body": False}


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def ask(application, scope):
    sent = []

    async def send(message):
        sent.append(message)

    await application(scope, nothing_comes, send)
    return sent


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9:4711", "198.51.100.9"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1", "198.51.100.9", "198.51.100.9"),
        ("::ffff:10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "nonsense", "nonsense"),
    ],
)
def test_the_client_is_whom_our_outermost_proxy_saw(peer, forwarded, expected):
    assert true_address(peer, forwarded) == expected


FORGED = [
    (b"x-forwarded-for", b"198.51.100.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil.example"),
    (b"x_forwarded_proto", b"https"),
    (b"forwarded", b"for=198.51.100.9"),
    (b"accept", b"text/html"),
]


@pytest.mark.usefixtures("proxy")
def test_nobody_but_a_named_proxy_is_believed_and_the_operator_told_once(
    caplog, monkeypatch
):
    monkeypatch.setattr(clients, "_said", [])
    for _ in range(2):
        scope = identified(request_of("192.0.2.1", headers=FORGED))
    assert scope["client"] == ("192.0.2.1", 4711)
    assert scope["headers"] == [(b"accept", b"text/html")]
    [record] = caplog.records
    assert "192.0.2.1" in record.getMessage()


@pytest.mark.usefixtures("proxy")
def test_of_a_named_proxy_the_address_and_the_scheme_are_taken():
    scope = identified(request_of("10.0.0.1", headers=FORGED))
    assert scope["client"] == ("198.51.100.9", 4711)
    assert scope["headers"] == [
        (b"x-forwarded-proto", b"https"),
        (b"accept", b"text/html"),
    ]


def test_without_a_proxy_the_loopback_address_is_believed_nothing_either():
    scope = identified(request_of("127.0.0.1", headers=FORGED))
    assert scope["client"] == ("127.0.0.1", 4711)
    assert scope["headers"] == [(b"accept", b"text/html")]


async def test_a_client_behind_the_proxy_has_so_many_requests_at_once(proxy, settings):
    settings.CONNECTIONS_PER_ADDRESS = 2
    may_go_on, served = asyncio.Event(), []

    async def slow(scope, receive, send):
        served.append(scope["client"][0])
        await may_go_on.wait()
        await answer(scope, receive, send)

    def request_by(client):
        forwarded = (b"x-forwarded-for", client.encode())
        return request_of("10.0.0.1", headers=[forwarded])

    door = Door(slow)
    greedy, honest = "198.51.100.9", "198.51.100.10"
    waiting = [
        asyncio.create_task(ask(door, request_by(client)))
        for client in (greedy, greedy, honest)
    ]
    await asyncio.sleep(0)
    refused = await ask(door, request_by(greedy))
    assert refused[0]["status"] == 429
    assert served == [greedy, greedy, honest]
    may_go_on.set()
    answers = await asyncio.gather(*waiting)
    assert [each[0]["status"] for each in answers] == [200, 200, 200]
    assert (await ask(door, request_by(greedy)))[0]["status"] == 200


async def test_an_address_has_so_many_sockets(settings):
    settings.SOCKETS_PER_ADDRESS = 2
    may_go_on = asyncio.Event()

    async def serve(scope, receive, send):
        await send({"type": "websocket.accept"})
        await may_go_on.wait()

    door = Door(serve)
    scope = request_of(type="websocket", path="/ws/v1/events")
    other = request_of("192.0.2.2", type="websocket", path="/ws/v1/events")
    waiting = [asyncio.create_task(ask(door, each)) for each in (scope, scope, other)]
    await asyncio.sleep(0)
    refused = await ask(door, scope)
    assert refused[-1] == {"type": "websocket.close", "code": TOO_MANY_SOCKETS}
    may_go_on.set()
    assert [len(sent) for sent in await asyncio.gather(*waiting)] == [1, 1, 1]
    assert len(await ask(door, scope)) == 1


async def test_a_request_with_two_lengths_is_refused_whatever_would_serve_it():
    lengths = [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")]
    sent = await ask(Door(answer), request_of(headers=lengths))
    assert sent[0]["status"] == 400
    assert (b"connection", b"close") in sent[0]["headers"]


def lines_of(caplog):
    return [record for record in caplog.records if record.name == "pingvas.access"]


async def test_one_line_says_what_became_of_a_request(caplog):
    caplog.set_level(logging.INFO)
    scope = request_of(
        raw_path=b"/create?prompt=secret",
        query_string=b"prompt=secret&token=secret",
        headers=[(b"x-request-id", b"abc"), (b"authorization", b"Bearer secret")],
    )
    await ask(Door(answer), scope)
    [record] = lines_of(caplog)
    line = json.loads(JsonFormatter().format(record))
    assert line["ms"] >= 0
    told = ("method", "path", "status", "bytes", "user", "logger", "level")
    assert [line[name] for name in told] == [
        "GET",
        "/create",
        200,
        5,
        None,
        "pingvas.access",
        "INFO",
    ]
    assert "secret" not in str(line)
    assert record.getMessage().startswith("GET /create 200 5 B ")


async def test_what_may_be_a_secret_in_a_path_is_cut_short(caplog):
    caplog.set_level(logging.INFO)
    picture = b"/gallery/0c2d7d7e-5ad6-4b1f-9f0e-3d0f3a5f9d55"
    for raw in (picture, b"/s/" + b"t" * 43, b"/%0a" + b"a/" * 2000):
        await ask(Door(answer), request_of(raw_path=raw))
    whole, cut, long = [record.path for record in lines_of(caplog)]
    assert whole == picture.decode()
    assert cut == "/s/tttttttt…"
    assert long.startswith("/%0aa/a/")
    assert len(long) == 300


async def test_every_answer_has_the_id_that_its_lines_have():
    seen = []

    async def note(scope, receive, send):
        seen.append(current_request_id())
        seen.append(dict(scope["headers"])[b"x-request-id"].decode())
        await answer(scope, receive, send)

    for given, is_taken in ((b"abc-1", True), (b"two words", False)):
        seen.clear()
        scope = request_of(headers=[(b"x-request-id", given)])
        head, _ = await ask(Door(note), scope)
        answered = dict(head["headers"])[b"x-request-id"].decode()
        assert seen == [answered, answered]
        assert (answered == given.decode()) == is_taken


async def test_a_client_that_left_has_a_line_too(caplog):
    caplog.set_level(logging.INFO)

    async def leave(scope, receive, send):
        return

    await ask(Door(leave), request_of())
    assert [record.status for record in lines_of(caplog)] == [499]


async def test_a_path_may_be_served_on_the_loop():
    seen = []

    async def take_part(scope, receive, send):
        seen.append(scope["url_route"]["kwargs"])
        await answer(scope, receive, send)

    async def on_threads(scope, receive, send):
        seen.append(scope["path"])

    routes = Routes(
        [path("api/v1/parts/<int:number>", take_part)], otherwise=on_threads
    )
    for where in ("/api/v1/parts/7", "/api/v1/parts/x", "/", "/api/v1/parts/7/"):
        await ask(routes, request_of(path=where))
    assert seen == [{"number": 7}, "/api/v1/parts/x", "/", "/api/v1/parts/7/"]
