"""What people see instead of a page: in their language, and without what is away."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.test import Client
from django.urls import path

from pingvas.core.errors import NotAllowed, TooManyRequests
from pingvas.urls import urlpatterns as product_urls
from tests.cast import make_user

pytestmark = pytest.mark.urls(__name__)

handler400 = "pingvas.core.error_pages.bad_request"
handler403 = "pingvas.core.error_pages.permission_denied"
handler404 = "pingvas.core.error_pages.page_not_found"
handler500 = "pingvas.core.error_pages.server_error"
KOREAN = {"accept-language": "ko-KR,ko;q=0.9"}


def raising(error):
    def view(request):
        raise error

    return view


urlpatterns = [
    path("denied", raising(PermissionDenied())),
    path("refused", raising(NotAllowed())),
    path("odd", raising(SuspiciousOperation("secret detail"))),
    path("hasty", raising(TooManyRequests(retry_after=3))),
    path("broken", raising(ZeroDivisionError("secret detail"))),
    path("away", raising(OperationalError("secret detail"))),
    *product_urls,
]

HEADINGS = {
    "/denied": (403, "This is not open to you", "이 페이지를 볼 수 없습니다"),
    "/refused": (403, "This is not open to you", "이 페이지를 볼 수 없습니다"),
    "/nowhere": (404, "There is nothing here", "여기에는 아무것도 없습니다"),
    "/odd": (
        400,
        "This request cannot be carried out",
        "이 요청을 처리할 수 없습니다",
    ),
    "/hasty": (
        429,
        "This request cannot be carried out",
        "이 요청을 처리할 수 없습니다",
    ),
    "/broken": (
        500,
        "Something went wrong on our side",
        "저희 쪽에서 문제가 생겼습니다",
    ),
    "/away": (
        503,
        "A part of the studio is away",
        "스튜디오의 일부가 응답하지 않습니다",
    ),
}


def heading(answer):
    return re.search(r"<h1>(.*?)</h1>", answer.content.decode()).group(1)


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.mark.django_db
@pytest.mark.parametrize("address", HEADINGS)
def test_a_refusal_is_a_page_in_the_readers_language(client, address):
    status, english, korean = HEADINGS[address]
    for headers, words in ({}, english), (KOREAN, korean):
        answer = client.get(address, headers=headers)
        assert answer.status_code == status
        assert heading(answer) == words
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert "secret detail" not in answer.content.decode()


@pytest.mark.django_db
def test_whoever_is_signed_in_goes_on_from_there(client):
    client.force_login(make_user("alice"))
    page = client.get("/nowhere").content.decode()
    assert 'href="/gallery"' in page
    assert 'action="/sign-out"' in page
    assert "/sign-in" not in page


@pytest.mark.django_db
def test_the_chosen_theme_is_kept(client):
    client.cookies["theme"] = "dark"
    for address in ("/nowhere", "/broken"):
        assert 'data-theme="dark"' in client.get(address).content.decode()


@pytest.mark.django_db
def test_a_form_without_its_token_says_what_to_do():
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/sign-in", {"email": "a@example.com"}, headers=KOREAN)
    assert answer.status_code == 403
    assert heading(answer) == "양식을 받지 못했습니다"


def test_a_failure_needs_no_database_and_names_its_request(client):
    """This test may not touch the database at all: the page comes nevertheless."""
    for headers, place in ({}, 1), (KOREAN, 2):
        answer = client.get("/create", headers={"x-request-id": "abc-1"} | headers)
        assert answer.status_code == HEADINGS["/broken"][0]
        assert heading(answer) == HEADINGS["/broken"][place]
        assert "abc-1" in answer.content.decode()
