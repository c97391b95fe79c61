"""What address an account may have, and what is written down of one that is taken."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from psycopg import sql

from accounts.models import User
from accounts.services import EmailTaken, sign_up
from pingvas.core.db.actor import IDENTITY, acting_as
from tests.accounts.api import Program, error
from tests.cast import PASSWORD, make_user
from tests.database import admin_connection
from tests.servers import HOMES

UNUSUAL = ['"alice"@example.org', "alice@[127.0.0.1]", "alice@[::1]", "alice@localhost"]
REFUSED = "Enter a valid email address."


@pytest.fixture
def boss(db):
    client = Client()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    return client


def accounts(email):
    with acting_as(IDENTITY):
        return User.objects.filter(email=email).count()


def add(client, email):
    form = {"email": email, "usable_password": "true"}
    form |= {"password1": PASSWORD, "password2": PASSWORD}
    return client.post(reverse("admin:accounts_user_add"), form)


def change(client, user, email, **columns):
    form = {"email": email, "tier": "free", "is_active": "on", **columns}
    return client.post(reverse("admin:accounts_user_change", args=[user.pk]), form)


@pytest.mark.parametrize("email", UNUSUAL)
def test_an_unusual_address_makes_no_account_anywhere(boss, email, monkeypatch):
    error(
        Program().post("auth/signup", {"email": email, "password": PASSWORD}),
        400,
        "invalid_request",
    )
    form = {"email": email, "password": PASSWORD}
    assert Client().post(reverse("accounts:sign-up"), form).status_code == 400
    assert REFUSED in add(boss, email).content.decode()
    assert REFUSED in change(boss, make_user("carol"), email).content.decode()
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with pytest.raises(CommandError):
        call_command("createsuperuser", email=email, interactive=False)
    assert accounts(email) == 0


@pytest.mark.parametrize("email", UNUSUAL)
def test_an_account_from_before_goes_on(boss, email):
    with acting_as(IDENTITY):
        user = User.objects.create_user(email, PASSWORD)
    program = Program()
    program.sign_in(user)
    assert program.get("me").json()["email"] == email
    saved = change(boss, user, email, display_name="Alice")
    assert saved.status_code == 302
    with acting_as(IDENTITY):
        assert User.objects.get(pk=user.pk).display_name == "Alice"


@pytest.mark.parametrize("email", ["a.b+c@example.com", "o'neil@xn--9n2bp8q.example"])
def test_a_usual_address_makes_one(db, email):
    sign_up(email=email, password=PASSWORD)
    assert accounts(email) == 1


def logged_until(marker):
    """What PostgreSQL has logged up to an error of ours with `marker` in it."""
    with (
        admin_connection() as admin,
        pytest.raises(psycopg.errors.UndefinedTable, match=marker),
    ):
        admin.execute(sql.SQL("TABLE {}").format(sql.Identifier(marker)))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for log in HOMES.glob("*/postgres.log"):
            if marker in (text := log.read_text(errors="replace")):
                return text
        time.sleep(0.05)
    raise AssertionError("the log of this run's PostgreSQL was not found")


def test_a_taken_address_leaves_no_trace_in_the_log(boss):
    email = f"taken-{uuid4().hex}@example.com"
    sign_up(email=email, password=PASSWORD)
    form = {"email": email, "password": PASSWORD}
    error(Program().post("auth/signup", form), 409, "email_taken")
    assert Client().post(reverse("accounts:sign-up"), form).status_code == 409
    assert "already exists" in add(boss, email).content.decode()
    other = change(boss, make_user("carol"), email)
    assert "already exists" in other.content.decode()
    assert accounts(email) == 1
    assert email not in logged_until(f"marker_{uuid4().hex}")


@pytest.mark.django_db(transaction=True)
def test_two_sign_ups_at_once_make_one_account_and_no_error_in_the_log():
    email = f"twice-{uuid4().hex}@example.com"
    start, made, refused = threading.Barrier(4), [], []

    def come():
        start.wait()
        try:
            made.append(sign_up(email=email, password=PASSWORD))
        except EmailTaken as taken:
            refused.append(taken)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    assert accounts(email) == 1
    assert email not in logged_until(f"marker_{uuid4().hex}")
