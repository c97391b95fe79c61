"""Who acts after a sign-in, in the admin, and when a session outlived its account."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from accounts.models import User
from pingvas.core.db.actor import SERVICE, acting_as
from tests.cast import PASSWORD, make_user
from tests.core.actor_urls import who_acts

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.core.actor_urls")]


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User) -> None:
    user.set_password("another long password")
    user.save(update_fields=["password"])


@pytest.mark.parametrize("happen", [deactivate, change_password])
@pytest.mark.parametrize("early", [False, True])
def test_a_session_that_outlived_its_account_acts_for_nobody(
    browser, alice, settings, happen, early
):
    assert b"app_user -" not in browser.get("/whoami").content
    with acting_as(SERVICE):
        happen(alice)
    if early:
        # Whoever asks for the user first, the actor was already taken away.
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.core.actor_urls.ask_user"]
    assert browser.get("/whoami").content == b"app_user -"


@pytest.fixture
def dana() -> User:
    return make_user("dana", is_staff=True, is_superuser=True)


def sign_in(client: Client, user: User, password: str = PASSWORD) -> Any:
    form = {"username": user.email, "password": password}
    return client.post("/admin/login/?next=/admin/", form)


def account(user: User) -> User:
    with acting_as(SERVICE):
        return User.objects.get(pk=user.pk)


def test_staff_sign_in_through_the_admin_and_it_is_recorded(dana):
    client = Client()
    assert client.get("/admin/login/").status_code == 200
    assert sign_in(client, dana).headers["Location"] == "/admin/"
    assert account(dana).last_login is not None
    assert client.get("/admin/").status_code == 200


def test_a_wrong_password_signs_nobody_in_and_records_nothing(dana):
    client = Client()
    assert sign_in(client, dana, "not the password").status_code == 200
    assert account(dana).last_login is None
    assert client.get("/admin/").status_code == 302


def test_the_admin_acts_as_the_service_for_staff(dana):
    client = Client()
    client.force_login(dana)
    assert client.get("/admin/whoami").content == b"service_user -"
    assert client.get("/whoami").content == f"app_user {dana.id}".encode()


def test_the_admin_does_not_act_as_the_service_for_others(browser):
    answer = browser.get("/admin/whoami")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")
    assert Client().get("/admin/whoami").status_code == 302


def test_the_sign_in_page_of_the_admin_refuses_who_is_no_staff(alice):
    client = Client()
    assert sign_in(client, alice).status_code == 200
    assert account(alice).last_login is None
    assert client.get("/admin/whoami").status_code == 302


def test_who_is_let_in_is_asked_before_the_service_acts(dana, monkeypatch):
    """`has_permission` runs as the user, and nothing was read as the service."""
    asked: list[str] = []
    allowed = admin.site.has_permission

    def has_permission(request: Any) -> bool:
        asked.append(who_acts())
        return allowed(request)

    monkeypatch.setattr(admin.site, "has_permission", has_permission)
    client = Client()
    client.force_login(dana)
    client.get("/admin/whoami")
    assert set(asked) == {f"app_user {dana.id}"}


def test_staff_sign_out_of_the_admin(dana):
    client = Client()
    client.force_login(dana)
    assert client.post("/admin/logout/").status_code == 200
    assert client.get("/admin/whoami").status_code == 302
