"""A password becomes tokens, and guessing is limited."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import trans_real

from accounts import limits
from accounts.models import TokenFamily, User
from accounts.tasks import purge_expired
from pingvas.core.db.actor import IDENTITY, SERVICE, acting_as
from pingvas.core.db.functions import Now
from tests.accounts.api import Program, error
from tests.cast import PASSWORD, make_user


@pytest.fixture
def alice(db):
    return make_user("alice")


WRONG = "not the password"


def attempt(program, email="alice@example.com", password=WRONG, **headers):
    body = {"email": email, "password": password}
    return program.post("auth/token", body, **headers)


def test_a_password_becomes_tokens_that_are_believed(program, alice):
    answer = attempt(program, password=PASSWORD)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "private, no-store"
    tokens = answer.json()
    assert sorted(tokens) == ["access", "expires_in", "refresh"]
    assert 0 < tokens["expires_in"] <= 15 * 60
    me = Program(tokens["access"]).get("me")
    assert (me.status_code, me.json()["id"]) == (200, str(alice.id))


def test_the_last_sign_in_is_kept(program, alice):
    attempt(program, password=PASSWORD)
    with acting_as(IDENTITY):
        assert User.objects.get().last_login is not None


def by_program(email):
    return attempt(Program(), email, PASSWORD).status_code


def by_page(email):
    form = {"email": email, "password": PASSWORD}
    return Client().post(reverse("accounts:sign-in"), form).status_code


def by_console(email):
    form = {"username": email, "password": PASSWORD}
    return Client().post(reverse("admin:login"), form).status_code


@pytest.mark.parametrize(
    ("door", "answer"), [(by_program, 200), (by_page, 302), (by_console, 302)]
)
def test_a_sign_in_is_written_down_once_at_every_door(db, door, answer):
    dana = make_user("dana", is_staff=True, is_superuser=True)
    with CaptureQueriesContext(connection) as asked:
        assert door(dana.email) == answer
    sent = "".join(one["sql"] for one in asked)
    assert sent.count('UPDATE "users" SET "last_login_at"') == 1


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_a_wrong_password_and_no_account_look_the_same(program, alice, email):
    found = error(attempt(program, email), 401, "wrong_credentials")
    assert found["message"] == "The e-mail address or the password is wrong."


def test_a_closed_account_is_refused(program, alice):
    with acting_as(IDENTITY):
        User.objects.update(is_active=False)
    error(attempt(program, password=PASSWORD), 401, "wrong_credentials")


def test_an_account_without_a_password_is_refused(program, alice):
    with acting_as(IDENTITY):
        User.objects.update(password=None)
    error(attempt(program, password=""), 400, "invalid_request")
    error(attempt(program, password="None"), 401, "wrong_credentials")


@pytest.fixture
def three_failures(monkeypatch):
    """The limits are high; each attempt hashes a password, which takes its time."""
    monkeypatch.setattr(limits, "FAILURES_AT_ACCOUNT_FROM_ADDRESS", 3)


@pytest.mark.usefixtures("three_failures")
def test_guessing_one_account_is_stopped_even_with_the_right_password(program, alice):
    for _ in range(limits.FAILURES_AT_ACCOUNT_FROM_ADDRESS):
        error(attempt(program), 401, "wrong_credentials")
    answer = attempt(program, " Alice@Example.com", PASSWORD)
    error(answer, 429, "sign_in_limit_reached")
    assert 0 < int(answer["Retry-After"]) <= 600


@pytest.mark.usefixtures("three_failures")
def test_one_address_that_guesses_does_not_lock_the_owner_out(program, alice):
    guesser = Program()
    guesser.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    for _ in range(limits.FAILURES_AT_ACCOUNT_FROM_ADDRESS + 1):
        last = attempt(guesser)
    assert last.status_code == 429
    assert attempt(program, password=PASSWORD).status_code == 200


def test_guessing_at_many_accounts_is_stopped(program, monkeypatch):
    monkeypatch.setattr(limits, "FAILURES_FROM_ADDRESS", 3)
    answers = [attempt(program, f"{n}@example.com").status_code for n in range(4)]
    assert answers == [401, 401, 401, 429]


def test_guessing_from_many_addresses_is_stopped(program, alice, monkeypatch):
    monkeypatch.setattr(limits, "FAILURES_AT_ACCOUNT", 3)
    answers = []
    for n in range(4):
        program.client.defaults["REMOTE_ADDR"] = f"192.0.2.{n}"
        answers.append(attempt(program).status_code)
    assert answers == [401, 401, 401, 429]


@pytest.mark.usefixtures("three_failures")
def test_signing_in_rightly_is_not_limited(program, alice):
    for _ in range(limits.FAILURES_AT_ACCOUNT_FROM_ADDRESS + 2):
        assert attempt(program, password=PASSWORD).status_code == 200


def test_expired_sign_ins_are_purged(program, alice):
    attempt(program, password=PASSWORD)
    with acting_as(SERVICE):
        TokenFamily.objects.update(expires_at=Now() - timedelta(seconds=1))
        old = TokenFamily.objects.get()
    attempt(program, password=PASSWORD)
    purge_expired()
    with acting_as(SERVICE):
        assert TokenFamily.objects.get() != old


@pytest.mark.parametrize(
    ("language", "starts"), [("ko", "이메일"), ("en", "The e-mail")]
)
def test_the_message_comes_in_the_language_asked_for(
    program, alice, monkeypatch, language, starts
):
    korean = trans_real.translation("ko")
    text = "The e-mail address or the password is wrong."
    words = "이메일 주소나 비밀번호가 맞지 않습니다."
    monkeypatch.setitem(korean._catalog._catalogs[0], text, words)
    found = attempt(program, accept_language=language).json()["error"]
    assert found["message"].startswith(starts)
