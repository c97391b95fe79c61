"""What a sign-in costs, whoever asks, and how many cost it at once."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client
from django.urls import reverse

from accounts import hashers, limits
from accounts.hashers import Argon2Hasher, HashingBusy
from accounts.models import User
from pingvas.core.db.actor import IDENTITY, SERVICE, acting_as
from pingvas.core.turns import Turns
from tests.accounts.api import Program, error, signed_in
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db
WRONG = "not the password"
NO_TURN = Turns(0, 0, busy=HashingBusy, seconds=2)


def by_api(email, password):
    body = {"email": email, "password": password}
    return Program().post("auth/token", body).status_code


def by_page(email, password):
    form = {"email": email, "password": password}
    return Client().post(reverse("accounts:sign-in"), form).status_code


def by_console(email, password):
    form = {"username": email, "password": password}
    return Client().post(reverse("admin:login"), form).status_code


DOORS = [by_api, by_page, by_console]


@pytest.fixture
def hashed(monkeypatch):
    """One entry for each run of the algorithm."""
    runs = []
    for name in ("encode", "verify"):
        run = getattr(Argon2PasswordHasher, name)

        def counting(self, *args, run=run):
            runs.append(run.__name__)
            return run(self, *args)

        monkeypatch.setattr(Argon2PasswordHasher, name, counting)
    return runs


def change(user, **columns):
    with acting_as(SERVICE):
        User.objects.filter(pk=user.pk).update(**columns)


@pytest.fixture
def alice():
    return make_user("alice")


KINDS = {
    "with a password": {},
    "without a password": {"password": None},
    "with an unusable one": {"password": "!"},
    "with no hash at all": {"password": "words"},
    "closed": {"is_active": False},
    "closed, without a password": {"password": None, "is_active": False},
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("columns", KINDS.values(), ids=KINDS)
def test_every_wrong_password_is_hashed_once(alice, hashed, door, columns):
    change(alice, **columns)
    assert door(alice.email, WRONG) in {200, 401}
    assert len(hashed) == 1


@pytest.mark.parametrize("door", DOORS)
def test_a_password_of_nobody_is_hashed_once(hashed, door):
    door("nobody@example.com", WRONG)
    assert len(hashed) == 1


def test_an_account_without_a_password_has_none_that_is_right(alice, hashed):
    alice.password = None
    for tried in ("", "None", "!", None, PASSWORD):
        assert not alice.check_password(tried)
    assert len(hashed) == 5


@pytest.fixture
def of_old(alice, monkeypatch):
    """An account whose hash was made at another cost."""
    with monkeypatch.context() as then:
        then.setattr(Argon2Hasher, "memory_cost", 16)
        then.setattr(Argon2Hasher, "parallelism", 2)
        alice.set_password(PASSWORD)
    change(alice, password=alice.password)
    assert "$m=16,t=1,p=2$" in alice.password
    return alice


def stored(user):
    with acting_as(IDENTITY):
        return User.objects.get(pk=user.pk).password


@pytest.mark.parametrize("door", DOORS)
def test_a_hash_of_another_cost_is_made_anew_at_sign_in(of_old, door):
    change(of_old, is_staff=True)
    assert door(of_old.email, WRONG) in {200, 401}
    assert stored(of_old) == of_old.password
    assert door(of_old.email, PASSWORD) in {200, 302}
    assert "$m=8,t=1,p=1$" in stored(of_old)
    assert door(of_old.email, PASSWORD) in {200, 302}


def test_a_hash_made_anew_ends_no_session_and_no_token(of_old):
    browser, program = Client(), signed_in_as_of_old(of_old)
    browser.force_login(of_old)
    assert by_api(of_old.email, PASSWORD) == 200
    assert "$m=8,t=1,p=1$" in stored(of_old)
    assert browser.get("/credits").status_code == 200
    assert program.get("me").status_code == 200
    renewed = program.post("auth/token/refresh", {"refresh": program.refresh})
    assert renewed.status_code == 200


def signed_in_as_of_old(user):
    """With tokens from before, and the hash still as it was."""
    kept = stored(user)
    program = signed_in(user)
    program.refresh = program.tokens["refresh"]
    change(user, password=kept)
    return program


def test_a_hash_is_not_made_anew_over_a_password_that_was_changed(of_old):
    seen = User(pk=of_old.pk, email=of_old.email, password=of_old.password)
    of_old.set_password("quite another password")
    change(of_old, password=of_old.password)
    assert seen.check_password(PASSWORD)
    assert stored(of_old) == of_old.password


def test_a_session_from_before_goes_on_until_the_password_changes(alice):
    browser = Client()
    browser.force_login(alice)
    session = browser.session
    session["_auth_user_hash"] = alice._epoch(alice.password)
    session.save()
    assert browser.get("/credits").status_code == 200
    assert browser.session["_auth_user_hash"] == alice.get_session_auth_hash()
    alice.set_password("quite another password")
    change(alice, password=alice.password)
    assert browser.get("/credits").status_code == 302


@pytest.fixture
def busy(monkeypatch):
    """Every turn is taken."""
    monkeypatch.setattr(hashers, "turns", lambda: NO_TURN)


def test_a_busy_process_says_so_to_programs(alice, busy):
    body = {"email": alice.email, "password": PASSWORD}
    answers = [Program().post("auth/token", body)]
    answers.append(Program().post("auth/signup", body | {"email": "new@example.com"}))
    for answer in answers:
        error(answer, 503, "passwords_busy")
        assert answer["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Many people are"), ("ko", "지금 로그인하는")]
)
@pytest.mark.parametrize(
    "name", ["accounts:sign-in", "accounts:sign-up", "admin:login"]
)
def test_a_busy_process_says_so_on_pages(alice, busy, name, language, words):
    form = {"username": alice.email, "email": alice.email, "password": PASSWORD}
    headers = {"accept-language": language}
    answer = Client().post(reverse(name), form, headers=headers)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "2"
    assert words in answer.content.decode()


def test_what_was_not_looked_at_is_no_failure(alice, monkeypatch):
    monkeypatch.setattr(limits, "FAILURES_AT_ACCOUNT_FROM_ADDRESS", 2)
    with monkeypatch.context() as now:
        now.setattr(hashers, "turns", lambda: NO_TURN)
        assert {by_api(alice.email, PASSWORD) for _ in range(4)} == {503}
    assert by_api(alice.email, PASSWORD) == 200


def test_a_busy_process_keeps_an_old_hash_for_next_time(of_old, monkeypatch):
    make = hashers.Argon2Hasher.encode

    def refuse(self, password, salt):
        raise HashingBusy

    monkeypatch.setattr(Argon2Hasher, "encode", refuse)
    assert by_api(of_old.email, PASSWORD) == 200
    assert stored(of_old) == of_old.password
    monkeypatch.setattr(Argon2Hasher, "encode", make)


def test_half_of_the_threads_are_left_to_others(settings):
    settings.WEB_THREADS, settings.PASSWORD_HASHES_AT_ONCE = 16, 2
    hashers.turns.cache_clear()
    found = hashers.turns()
    hashers.turns.cache_clear()
    assert (found._running._value, found._here._value) == (2, 8)
