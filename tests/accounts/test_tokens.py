"""Whom the API believes, and for how long."""

from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.db import connections
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts import tokens
from accounts.models import User
from accounts.tokens import sign_out_everywhere
from pingvas.core.db.actor import IDENTITY, acting_as
from pingvas.core.redis import token_blacklist
from tests.accounts.api import Program, error, signed_in
from tests.cast import PASSWORD, make_user
from tests.redis import redis_client

KEY = settings.SIMPLE_JWT["SIGNING_KEY"]


@pytest.fixture
def alice(db):
    return make_user("alice")


@pytest.fixture
def program(alice):
    return signed_in(alice)


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def signed(payload, key=KEY, algorithm="HS256"):
    return jwt.encode(payload, key, algorithm=algorithm)


def part(value):
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def refresh(program, token):
    return program.post("auth/token/refresh", {"refresh": token})


def test_nobody_is_asked_for_a_bearer_token(db):
    answer = Program().get("me")
    error(answer, 401, "not_signed_in")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_token_lives_a_quarter_of_an_hour_at_most(program):
    found = claims(program.access)
    assert 0 < found["exp"] - found["iat"] <= 15 * 60


@pytest.mark.parametrize(
    "change",
    [
        {"exp": None},
        {"jti": None},
        {"aud": "another"},
        {"iss": "another"},
        {"token_type": "refresh"},
    ],
)
def test_a_token_of_ours_with_a_wrong_claim_is_refused(program, change):
    payload = claims(program.access) | change
    payload = {name: value for name, value in payload.items() if value is not None}
    answer = Program(signed(payload)).get("me")
    error(answer, 401, "token_invalid")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'


UNKNOWN = [
    *[{name: None} for name in ("sub", "sid", "epoch")],
    *[{name: "\0"} for name in ("sub", "sid", "epoch")],
    *[{name: 7} for name in ("sub", "sid", "epoch", "jti")],
    *[{"sub": []}, {"sid": {}}, {"exp": "later"}, {"exp": "9" * 12}, {"exp": []}],
    *[{"exp": 10**12}, {"exp": 10**30}, {"exp": 1e300}, {"exp": float("inf")}],
]


@pytest.mark.parametrize("change", UNKNOWN, ids=str)
def test_a_token_signed_rightly_that_names_no_sign_in_is_refused(program, change):
    def changed(token):
        payload = claims(token) | change
        return signed({name: v for name, v in payload.items() if v is not None})

    error(Program(changed(program.access)).get("me"), 401, "token_invalid")
    answer = refresh(Program(), changed(program.tokens["refresh"]))
    error(answer, 401, "token_invalid")


def test_the_same_claims_signed_rightly_are_believed(program):
    assert Program(signed(claims(program.access))).get("me").status_code == 200


def test_an_expired_token_says_so(program):
    payload = claims(program.access)
    payload["exp"] = payload["iat"] - 1
    error(Program(signed(payload)).get("me"), 401, "token_expired")


def test_a_token_that_was_believed_expires_all_the_same(program, monkeypatch):
    assert program.get("me").status_code == 200
    monkeypatch.setattr(tokens, "time", lambda: claims(program.access)["exp"])
    error(program.get("me"), 401, "token_expired")


def test_a_tampered_token_is_refused(program):
    bob = make_user("bob")
    header, _, signature = program.access.split(".")
    body = part(claims(program.access) | {"sub": str(bob.id)})
    error(Program(f"{header}.{body}.{signature}").get("me"), 401, "token_invalid")


@pytest.mark.parametrize("name", ["none", "None", "NONE", "HS384", "RS256", "", None])
def test_another_algorithm_is_refused(program, name):
    _, body, signature = program.access.split(".")
    forged = part({"alg": name, "typ": "JWT"})
    for end in ("", signature):
        error(Program(f"{forged}.{body}.{end}").get("me"), 401, "token_invalid")


def test_a_longer_hash_with_the_right_key_is_refused(program):
    forged = signed(claims(program.access), algorithm="HS512")
    error(Program(forged).get("me"), 401, "token_invalid")


def test_the_secret_key_itself_signs_no_token(program):
    key = settings.SECRET_KEY.ljust(32, "x")
    error(Program(signed(claims(program.access), key)).get("me"), 401, "token_invalid")


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        "x",
        "a.b.c",
        "...",
        "토큰",
        base64.b64encode(b"[" * 1_400).decode().rstrip("=") + ".e30.x",
        "a" * 60_000,
    ],
)
def test_nonsense_is_refused(db, token):
    header = f"Bearer {token}"
    answer = Program()("get", "me", authorization=header)
    error(answer, 401, "token_invalid")


def test_a_refresh_token_opens_nothing(program):
    error(Program(program.tokens["refresh"]).get("me"), 401, "token_invalid")


def test_an_access_token_renews_nothing(program):
    error(refresh(program, program.access), 401, "token_invalid")


def test_a_closed_account_is_refused_at_once(program):
    with acting_as(IDENTITY):
        User.objects.update(is_active=False)
    error(program.get("me"), 401, "token_invalid")
    error(refresh(program, program.tokens["refresh"]), 401, "token_invalid")


def test_a_bearer_acts_as_its_user_whoever_has_the_session(program, alice):
    bob = make_user("bob")
    program.client.force_login(bob)
    assert program.get("me").json()["id"] == str(alice.id)
    assert Program.get(program, "me", authorization="").json()["id"] == str(bob.id)


def test_a_refresh_token_gives_new_tokens(program):
    first = program.tokens
    second = refresh(program, first["refresh"]).json()
    assert second["access"] != first["access"]
    assert second["refresh"] != first["refresh"]
    assert Program(second["access"]).get("me").status_code == 200
    # What it replaced has its minutes left: only signing out ends it.
    assert program.get("me").status_code == 200


def test_a_refresh_token_used_twice_ends_the_whole_sign_in(program, alice):
    other = signed_in(alice)
    second = refresh(program, program.tokens["refresh"]).json()
    answer = refresh(program, program.tokens["refresh"])
    error(answer, 401, "refresh_token_reused")
    error(refresh(program, second["refresh"]), 401, "token_invalid")
    error(Program(second["access"]).get("me"), 401, "token_invalid")
    assert other.get("me").status_code == 200


def test_an_expired_refresh_token_says_so(program):
    payload = claims(program.tokens["refresh"])
    payload["exp"] = payload["iat"] - 1
    error(refresh(program, signed(payload)), 401, "token_expired")


def test_signing_out_ends_both_tokens_and_no_other_sign_in(program, alice):
    other = signed_in(alice)
    assert program.post("auth/logout").status_code == 204
    error(program.get("me"), 401, "token_invalid")
    error(refresh(program, program.tokens["refresh"]), 401, "token_invalid")
    assert other.get("me").status_code == 200


def test_the_blacklist_holds_the_jti_until_the_token_expires(program):
    program.post("auth/logout")
    found = claims(program.access)
    seconds = redis_client().ttl(token_blacklist(found["jti"]))
    assert token_blacklist(found["jti"]) == f"session:blacklist:{found['jti']}"
    assert 0 < seconds <= found["exp"] - found["iat"] + 1


def test_the_blacklist_alone_refuses(program):
    redis_client().set(token_blacklist(claims(program.access)["jti"]), "1", ex=60)
    error(program.get("me"), 401, "token_invalid")


def test_signing_out_outlives_the_blacklist(program):
    program.post("auth/logout")
    redis_client().delete(token_blacklist(claims(program.access)["jti"]))
    error(program.get("me"), 401, "token_invalid")
    error(refresh(program, program.tokens["refresh"]), 401, "token_invalid")


def test_signing_out_everywhere_ends_every_token_and_session(program, alice):
    other = signed_in(alice)
    browser = Program()
    browser.client.force_login(alice)
    assert browser.get("me").status_code == 200
    assert program.post("auth/logout", {"everywhere": True}).status_code == 204
    for somebody in (program, other, browser):
        assert somebody.get("me").status_code == 401
    error(refresh(other, other.tokens["refresh"]), 401, "token_invalid")
    assert signed_in(alice).get("me").status_code == 200


def test_a_new_password_ends_every_token_whoever_set_it(program, alice):
    alice.set_password("quite another password")
    with acting_as(IDENTITY):
        User.objects.filter(pk=alice.pk).update(password=alice.password)
    error(program.get("me"), 401, "token_invalid")
    error(refresh(program, program.tokens["refresh"]), 401, "token_invalid")


def test_the_raised_version_alone_ends_tokens_when_families_were_missed(
    program, alice, monkeypatch
):
    monkeypatch.setattr(tokens, "_end_families", lambda *args, **kwargs: None)
    sign_out_everywhere(user=alice)
    error(program.get("me"), 401, "token_invalid")


def test_a_browser_signs_out_by_its_session(alice):
    browser = Program()
    browser.client.login(username=alice.email, password=PASSWORD)
    assert browser.post("auth/logout").status_code == 204
    error(browser.get("me"), 401, "not_signed_in")


def test_without_redis_reading_goes_on_and_sign_outs_hold(alice, program, redis_away):
    assert program.get("me").status_code == 200
    assert refresh(program, program.tokens["refresh"]).status_code == 200
    assert program.post("auth/logout").status_code == 204
    error(program.get("me"), 401, "token_invalid")


def test_without_redis_nobody_signs_in_or_up(alice, redis_away):
    with acting_as(IDENTITY):
        before = list(User.objects.values_list("id", "last_login", "updated_at"))
    credentials = {"email": alice.email, "password": PASSWORD}
    program = Program()
    error(program.post("auth/token", credentials), 503, "service_unavailable")
    answer = program.post("auth/signup", credentials | {"email": "erin@example.com"})
    error(answer, 503, "service_unavailable")
    with acting_as(IDENTITY):
        after = list(User.objects.values_list("id", "last_login", "updated_at"))
    assert after == before


def test_tokens_of_deleted_families_or_users_are_refused(program, alice):
    for kind in (AccessToken, RefreshToken):
        token = kind()
        token["sub"], token["sid"] = str(alice.id), str(alice.id)
        token["epoch"] = claims(program.access)["epoch"]
        token.set_exp(lifetime=timedelta(minutes=1))
        if kind is AccessToken:
            error(Program(str(token)).get("me"), 401, "token_invalid")
        else:
            error(refresh(program, str(token)), 401, "token_invalid")


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_wins_and_the_sign_in_ends():
    program = signed_in(make_user("alice"))
    answers, together = [], threading.Barrier(2)

    def renew():
        together.wait()
        answers.append(refresh(Program(), program.tokens["refresh"]))
        connections.close_all()

    threads = [threading.Thread(target=renew) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    error(program.get("me"), 401, "token_invalid")
