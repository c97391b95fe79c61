"""An account over the API."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate

from accounts.limits import SIGN_UPS_PER_HOUR
from accounts.models import User
from pingvas.core.db.actor import IDENTITY, acting_as
from tests.accounts.api import error
from tests.cast import PASSWORD

NEW = {"email": "Erin@Example.com", "password": PASSWORD, "display_name": " Erin "}


def accounts():
    with acting_as(IDENTITY):
        return User.objects.count()


def test_a_new_account_can_sign_in(program):
    answer = program.post("auth/signup", NEW)
    assert answer.status_code == 201
    body = answer.json()
    assert sorted(body) == sorted(
        ["id", "email", "display_name", "avatar_url", "tier", "created_at"]
    )
    assert body["email"] == "erin@example.com"
    assert (body["display_name"], body["tier"]) == ("Erin", "free")
    assert PASSWORD not in answer.content.decode()
    assert str(authenticate(username=NEW["email"], password=PASSWORD).id) == body["id"]


def test_an_address_has_one_account_however_it_is_spelled(program):
    program.post("auth/signup", NEW)
    answer = program.post("auth/signup", NEW | {"email": "erin@example.COM"})
    assert list(error(answer, 409, "email_taken")["fields"]) == ["email"]
    assert accounts() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": None}, "email"),
        ({"email": f"{'e' * 250}@example.com"}, "email"),
        ({"email": "erin@예시.example"}, "email"),
        ({"email": "erin@\u0130stanbul.example"}, "email"),
        ({"email": ["erin@example.com"]}, "email"),
        ({"email": '"erin"@example.com'}, "email"),
        ({"email": '"erin smith"@example.com'}, "email"),
        ({"email": '"e\\"rin"@example.com'}, "email"),
        ({"email": "erin@[127.0.0.1]"}, "email"),
        ({"email": "erin@[IPv6:::1]"}, "email"),
        ({"email": "erin@localhost"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "12345678901234"}, "password"),
        ({"password": "erin@example.com"}, "password"),
        ({"password": "p" * 257}, "password"),
        ({"password": "nul \0 in a password"}, "password"),
        ({"display_name": "d" * 101}, "display_name"),
        ({"display_name": "nul \0"}, "display_name"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_kept(program, change, field):
    answer = program.post("auth/signup", NEW | change)
    assert list(error(answer, 400, "invalid_request")["fields"]) == [field]
    assert accounts() == 0


def test_nobody_signs_up_as_staff(program):
    rights = {"is_staff": True, "is_superuser": True, "tier": "enterprise"}
    program.post("auth/signup", NEW | rights)
    with acting_as(IDENTITY):
        user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.tier) == (False, False, "free")


def test_accounts_from_one_address_are_limited(program):
    for _ in range(SIGN_UPS_PER_HOUR):
        program.post("auth/signup", NEW | {"password": "short"})
    answer = program.post("auth/signup", NEW)
    found = error(answer, 429, "sign_up_limit_reached")
    assert 0 < int(answer["Retry-After"]) == found["retry_after"] <= 3600
    assert accounts() == 0


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a"', b"[]", b"null", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(program, body):
    answer = program.client.post(
        "/api/v1/auth/signup", body, content_type="application/json"
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {"parse_error", "invalid_request"}


def test_a_form_is_refused(program):
    answer = program.client.post("/api/v1/auth/signup", NEW)
    error(answer, 415, "unsupported_media_type")
