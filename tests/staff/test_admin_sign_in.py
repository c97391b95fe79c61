"""The console's door: guessing is limited, together with the studio's."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from redis.exceptions import ConnectionError as RedisAway

from accounts import limits
from accounts.models import User
from pingvas.core import redis as product_redis
from pingvas.core.db.actor import IDENTITY, acting_as
from tests.accounts.api import Program
from tests.cast import PASSWORD, make_user
from tests.redis import redis_client

pytestmark = pytest.mark.django_db
WRONG = "not the password"
WRONG_WORDS = "Please enter the correct"
LIMIT_WORDS = "Too many failed sign-ins. Try again in a few minutes."


@pytest.fixture(autouse=True)
def fresh_counters():
    """Every test counts from zero: they all come from one address."""
    for key in redis_client().scan_iter("ratelimit:*"):
        redis_client().delete(key)


@pytest.fixture
def three_failures(monkeypatch):
    """The limits are high; each attempt hashes a password, which takes its time."""
    monkeypatch.setattr(limits, "FAILURES_AT_ACCOUNT_FROM_ADDRESS", 3)


@pytest.fixture
def dana():
    return make_user("dana", is_staff=True, is_superuser=True)


def attempt(client, email="dana@example.com", password=WRONG, **headers):
    form = {"username": email, "password": password}
    return client.post(reverse("admin:login"), form, headers=headers)


def test_staff_sign_in_and_their_last_sign_in_is_kept(client, dana):
    page = client.get(reverse("admin:login"))
    form = {"username": " Dana@Example.com", "password": PASSWORD}
    answer = client.post(page.context["app_path"], form)
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))
    assert client.get(reverse("admin:index")).status_code == 200
    with acting_as(IDENTITY):
        assert User.objects.get().last_login is not None


def test_a_wrong_password_and_a_plain_account_look_the_same(client, dana):
    make_user("eve")
    for email, password in (("dana", WRONG), ("eve", PASSWORD), ("nobody", WRONG)):
        answer = attempt(client, f"{email}@example.com", password)
        assert answer.status_code == 200
        assert WRONG_WORDS in answer.content.decode()
    with acting_as(IDENTITY):
        assert not User.objects.filter(last_login__isnull=False).exists()


@pytest.mark.usefixtures("three_failures")
def test_guessing_is_stopped_even_with_the_right_password(client, dana):
    for _ in range(3):
        assert WRONG_WORDS in attempt(client).content.decode()
    answer = attempt(client, " Dana@Example.com", PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 600
    assert LIMIT_WORDS in answer.content.decode()
    assert client.get(reverse("admin:index")).status_code == 302


@pytest.mark.usefixtures("three_failures")
def test_guesses_at_the_console_the_studio_and_the_api_add_up(client, dana):
    attempt(client)
    form = {"email": dana.email, "password": WRONG}
    assert client.post(reverse("accounts:sign-in"), form).status_code == 401
    assert Program().post("auth/token", form).status_code == 401
    assert attempt(client, password=PASSWORD).status_code == 429


@pytest.mark.usefixtures("three_failures")
def test_one_address_that_guesses_does_not_lock_the_owner_out(client, dana):
    guesser = Client(REMOTE_ADDR="192.0.2.7")
    answers = [attempt(guesser).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    assert attempt(client, password=PASSWORD).status_code == 302


def test_guessing_from_many_addresses_is_stopped(dana, monkeypatch):
    monkeypatch.setattr(limits, "FAILURES_AT_ACCOUNT", 3)
    clients = [Client(REMOTE_ADDR=f"192.0.2.{number}") for number in range(4)]
    answers = [attempt(client).status_code for client in clients]
    assert answers == [200, 200, 200, 429]


@pytest.mark.usefixtures("three_failures")
def test_signing_in_rightly_is_not_limited(client, dana):
    for _ in range(5):
        assert attempt(client, password=PASSWORD).status_code == 302


def test_while_nothing_can_be_counted_nobody_is_let_in(client, dana, monkeypatch):
    def refuse(*args, **kwargs):
        raise RedisAway("Connection refused")

    pool = product_redis.redis_client().connection_pool
    monkeypatch.setattr(pool, "get_connection", refuse)
    answer = attempt(client, password=PASSWORD)
    assert answer.status_code == 503
    assert "A part of the service is away." in answer.content.decode()
    assert client.get(reverse("admin:index")).status_code == 302


@pytest.mark.usefixtures("three_failures")
def test_the_refusal_comes_in_korean_too(client, dana):
    for _ in range(4):
        answer = attempt(client, accept_language="ko")
    assert answer.status_code == 429
    assert "로그인에 너무 많이 실패했습니다." in answer.content.decode()
