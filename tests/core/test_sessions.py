"""What a cookie and the cache may say, and what is made of it."""

from __future__ import annotations

import json
import os
import pickle

import pytest
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_redis.cache import RedisCache
from redis import Redis

from accounts.tasks import purge_expired
from pingvas.core import sessions
from pingvas.core.db.actor import IDENTITY, acting_as
from pingvas.core.redis import redis_client
from pingvas.core.sessions import SessionStore
from pingvas.schedule import SCHEDULE, Daily
from tests.cast import make_user

pytestmark = pytest.mark.django_db

NO_KEYS = [
    r'"\000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
    r'"\000aaaaaaaaaaaa"',
    "",
    "a" * 31,
    "a" * 33,
    "A" * 32,
    "a" * 31 + "é",
    "a" * 31 + "*",
    '"' + "a" * 31 + r'\012"',
    "../" + "a" * 29,
    "a" * 4000,
]


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def browser(alice):
    client = Client()
    client.force_login(alice)
    assert client.get("/credits").status_code == 200
    return client


def test_what_django_makes_is_a_key():
    store = SessionStore()
    store.create()
    assert SessionStore(store.session_key).session_key == store.session_key


@pytest.fixture
def asked(monkeypatch):
    """The keys that the cache is asked for."""
    found = []
    get = RedisCache.get

    def noting(self, key, *args, **kwargs):
        found.append(key)
        return get(self, key, *args, **kwargs)

    monkeypatch.setattr(RedisCache, "get", noting)
    return found


@pytest.mark.parametrize("cookie", NO_KEYS)
@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/api/v1/me", 401)])
def test_a_cookie_that_is_no_key_is_asked_of_no_server(cookie, path, status, asked):
    client = Client(headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"})
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)
    assert answer.status_code == status
    assert asked == []
    assert [query for query in queries if "django_session" in query["sql"]] == []


def test_a_key_that_django_never_gave_is_nobodys(asked):
    client = Client(headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={'a' * 32}"})
    assert client.get("/api/v1/me").status_code == 401
    assert len(asked) == 1


def stored(client):
    """The name under which Redis holds the session of a client."""
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    name = cache.make_key(SessionStore(key).cache_key)
    assert redis_client().exists(name)
    return name


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_in_redis_runs_nothing(browser, tmp_path):
    harm = tmp_path / "harm"
    redis_client().set(stored(browser), pickle.dumps(Payload(harm)))
    assert browser.get("/credits").status_code == 200
    assert not harm.exists()


def test_the_cache_holds_sessions_as_json(browser, alice):
    found = json.loads(redis_client().get(stored(browser)))
    assert found[SESSION_KEY] == str(alice.pk)


USER = "00000000-0000-4000-8000-000000000000"
UNREADABLE = [
    b"",
    b"\xff\x80",
    b"{",
    b"[" * 100_000,
    b"9" * 5_000,
    b"null",
    b"7",
    b"[1]",
    b'"words"',
    json.dumps({SESSION_KEY: "nobody", HASH_SESSION_KEY: ""}).encode(),
    json.dumps({SESSION_KEY: None, HASH_SESSION_KEY: ""}).encode(),
    json.dumps({SESSION_KEY: 7, HASH_SESSION_KEY: ""}).encode(),
    json.dumps({SESSION_KEY: USER, HASH_SESSION_KEY: 7}).encode(),
    json.dumps({SESSION_KEY: USER}).encode(),
]


@pytest.mark.parametrize("value", UNREADABLE, ids=lambda value: str(value[:30]))
def test_what_the_cache_says_of_no_session_is_read_from_postgresql(browser, value):
    name = stored(browser)
    redis_client().set(name, value)
    assert browser.get("/credits").status_code == 200
    # And is right again for the next request.
    assert SESSION_KEY in json.loads(redis_client().get(name))


def test_a_forged_session_in_the_cache_lets_nobody_in(browser, alice):
    forged = {SESSION_KEY: str(alice.pk), HASH_SESSION_KEY: "0" * 64}
    redis_client().set(stored(browser), json.dumps(forged))
    assert browser.get("/credits").status_code == 302


def test_an_unreadable_value_is_a_miss_for_everybody():
    cache.set("figure", {"a": 1})
    name = cache.make_key("figure")
    for value in (pickle.dumps({"a": 1}), b"{", b"[" * 100_000, b"9" * 5_000):
        redis_client().set(name, value)
        assert cache.get("figure") is None


def test_expired_sessions_are_purged_in_batches(browser, alice, monkeypatch):
    monkeypatch.setattr(sessions, "PURGED_AT_ONCE", 2)
    living = browser.session.session_key
    for _ in range(5):
        old = SessionStore()
        old.set_expiry(-1)
        old.create()
    with CaptureQueriesContext(connection) as queries:
        purge_expired()
    deletes = [q["sql"] for q in queries if 'DELETE FROM "django_s' in q["sql"]]
    assert len(deletes) == 4
    assert all("LIMIT 2" in one for one in deletes)
    with acting_as(IDENTITY):
        assert [one.session_key for one in Session.objects.all()] == [living]
    assert browser.get("/credits").status_code == 200


def test_beat_purges_every_day():
    [entry] = [one for one in SCHEDULE if one.task == purge_expired.name]
    assert isinstance(entry.when, Daily)


def test_an_ended_session_does_not_come_back_with_redis(browser, monkeypatch):
    """The copy in the cache would let the cookie in for two weeks."""
    nowhere = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1)
    with monkeypatch.context() as away:
        away.setattr(sessions, "redis_client", lambda: nowhere)
        assert browser.post("/sign-out").status_code == 503
        # It did not happen, and says so.
        assert browser.get("/credits").status_code == 200
    assert browser.post("/sign-out").status_code == 302
    assert browser.get("/credits").status_code == 302


def test_a_copy_in_the_cache_is_no_session_where_somebody_looks_again(browser):
    key = browser.session.session_key
    SessionStore(key).load()
    with acting_as(IDENTITY):
        Session.objects.filter(session_key=key).delete()
    assert SessionStore(key).load() != {}
    assert not SessionStore(key).lives()
