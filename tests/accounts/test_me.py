"""One's own account, and tickets for the WebSocket."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.tokens import spend_ws_ticket
from pingvas.core.redis import WS_TICKET_TTL_SECONDS, ws_ticket
from tests.accounts.api import Program, error, signed_in
from tests.cast import make_user
from tests.redis import redis_client


@pytest.fixture
def alice(db):
    return make_user("alice", display_name="Alice")


@pytest.fixture
def program(alice):
    return signed_in(alice)


def test_the_name_is_changed_and_nothing_else(program, alice):
    wanted = {"display_name": " 앨리스 ", "tier": "enterprise", "email": "x@y.example"}
    answer = program("patch", "me", wanted)
    assert answer.status_code == 200
    assert answer.json() == program.get("me").json()
    found = answer.json()
    assert found["display_name"] == "앨리스"
    assert (found["tier"], found["email"]) == ("free", alice.email)


@pytest.mark.parametrize("name", [None, "", "  "])
def test_the_name_can_be_taken_away(program, name):
    answer = program("patch", "me", {"display_name": name})
    assert answer.json()["display_name"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"display_name": "d" * 101}, "invalid_request"),
        (["a list"], "parse_error"),
        (None, "invalid_request"),
    ],
)
def test_a_wrong_name_is_refused(program, body, code):
    error(program("patch", "me", body), 400, code)
    assert program.get("me").json()["display_name"] == "Alice"


def test_a_session_needs_its_csrf_token_to_write(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    body, kind = {"display_name": "Mallory"}, "application/json"
    assert client.get("/api/v1/me").status_code == 200
    error(client.patch("/api/v1/me", body, content_type=kind), 403, "not_allowed")
    token = client.get("/api/v1/me").wsgi_request.META.get("CSRF_COOKIE") or "a" * 32
    client.cookies["csrftoken"] = token
    allowed = client.patch(
        "/api/v1/me", body, content_type=kind, headers={"x-csrftoken": token}
    )
    assert allowed.status_code == 200


@pytest.mark.parametrize("method", ["delete", "put", "post"])
def test_another_method_is_refused_in_shape(program, method):
    error(program(method, "me"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "me"),
        ("patch", "me"),
        ("post", "auth/logout"),
        ("post", "auth/ws-ticket"),
    ],
)
def test_strangers_are_refused(db, method, path):
    error(Program()(method, path), 401, "not_signed_in")


def test_a_ticket_is_spent_once(program, alice):
    answer = program.post("auth/ws-ticket")
    assert answer.status_code == 201
    ticket = answer.json()["ticket"]
    assert answer.json()["expires_in"] == WS_TICKET_TTL_SECONDS
    assert 0 < redis_client().ttl(ws_ticket(ticket)) <= WS_TICKET_TTL_SECONDS
    assert spend_ws_ticket(ticket).user_id == alice.id
    assert spend_ws_ticket(ticket) is None


@pytest.mark.parametrize("ticket", ["", "made up", "*", "표"])
def test_a_ticket_that_was_never_given_is_nobodys(ticket):
    assert spend_ws_ticket(ticket) is None


def test_without_redis_there_are_no_tickets(program, redis_away):
    error(program.post("auth/ws-ticket"), 503, "service_unavailable")
