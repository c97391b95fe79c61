"""A request and its transaction: what is kept, and as whom the page is made."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from gallery.models import Board
from pingvas.core.db.actor import (
    NOBODY,
    SERVICE,
    acting_as,
    current_actor,
    user_actor,
)
from tests.cast import make_user

# In a transaction of its own, as in production; the rest is nested in the test's.
outermost = pytest.mark.django_db(transaction=True)
pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.core.actor_urls")]

REFUSALS = {
    "/write/raise": 500,
    "/write/render-badly": 500,
    "/write/missing": 404,
    "/write/forbidden": 403,
    "/api/invalid": 400,
    "/api/forbidden": 403,
    "/api/crash": 500,
}


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def browser(alice: User) -> Client:
    """Signed in as alice; an exception becomes the answer that a browser gets."""
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    return client


def boards() -> list[str]:
    with acting_as(SERVICE):
        return [board.name for board in Board.objects.all()]


def test_a_page_is_made_as_the_user_of_its_session(browser, alice):
    assert browser.get("/whoami").content == f"app_user {alice.id}".encode()


def test_a_page_without_a_session_is_made_as_nobody():
    assert Client().get("/whoami").content == b"app_user -"


@outermost
def test_nothing_of_the_actor_is_left_after_a_request(browser):
    browser.get("/whoami")
    assert current_actor() == NOBODY
    assert not connection.in_atomic_block


@outermost
def test_what_a_view_wrote_and_answered_for_is_kept(browser):
    for number, status in enumerate([200, 302, 404], start=1):
        assert browser.get(f"/write/{status}").status_code == status
        assert len(boards()) == number


def test_an_api_view_keeps_what_it_wrote(browser, alice):
    assert browser.get("/api/fine").json() == {"actor": str(alice.id)}
    assert len(boards()) == 1


@outermost
def test_a_view_that_wrote_and_then_raised_leaves_nothing(browser):
    for path, status in REFUSALS.items():
        assert browser.get(path).status_code == status
        assert boards() == [], path
        assert current_actor() == NOBODY


@pytest.mark.parametrize("path", REFUSALS)
def test_it_leaves_nothing_when_nested_either(browser, path):
    assert browser.get(path).status_code == REFUSALS[path]
    assert boards() == []


@outermost
def test_an_answer_of_5xx_leaves_nothing_although_no_view_raised(browser):
    """It tells the client to try again."""
    assert browser.get("/write/503").status_code == 503
    assert boards() == []


@outermost
def test_a_middleware_that_raised_behind_the_view_leaves_nothing(browser, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.core.actor_urls.raise_later"]
    assert browser.get("/write/200").status_code == 500
    assert boards() == []


def test_a_template_that_is_rendered_late_still_has_the_actor(browser, alice):
    for user in (alice, make_user("bob")):
        with acting_as(user_actor(user.id)):
            Board.objects.create(user=user, name=f"of {user.email}")
    page = browser.get("/late").content.decode()
    assert page == f"{alice.email}:of {alice.email};"


def test_an_unknown_address_answers_404_as_ever(browser):
    assert browser.get("/no-such-page").status_code == 404
