"""One address may ask so often a minute."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from django.utils.translation import trans_real

from pingvas.core.api.client import client_address
from pingvas.core.redis import api_rate, picture_rate
from tests.accounts.api import error
from tests.redis import redis_client

HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def three_a_minute(settings):
    settings.API_REQUESTS_PER_MINUTE = 3
    settings.API_PICTURES_PER_MINUTE = 5


def test_the_fourth_request_is_refused_and_told_when_to_come_back(program):
    answers = [program.get("me") for _ in range(4)]
    # Refused requests count too: guessing tokens is what it is about.
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    found = error(answers[-1], 429, "too_many_requests")
    assert int(answers[-1]["Retry-After"]) == found["retry_after"]
    assert 0 < found["retry_after"] <= 60
    assert 0 < redis_client().ttl(api_rate(HERE)) <= 60
    assert api_rate(HERE) == "ratelimit:ip:127.0.0.1:api"


def test_another_address_is_not_held_back(program):
    for _ in range(4):
        program.get("me")
    program.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    assert program.get("me").status_code == 401


# Fixed: processes that share the tests out must name them alike.
NOBODYS = "00000000-0000-4000-8000-000000000000"
PICTURES = [f"jobs/{NOBODYS}/preview", f"images/{NOBODYS}/thumbnail", "images/file"]


@pytest.mark.parametrize("path", PICTURES)
def test_pictures_have_a_limit_of_their_own(program, path):
    """Watching pictures form does not keep anybody from stopping them."""
    answers = [program.get(path).status_code for _ in range(6)]
    assert answers[-1] == 429
    assert 429 not in answers[:-1]
    assert redis_client().get(api_rate(HERE)) is None
    assert redis_client().get(picture_rate(HERE)) == "6"
    assert program.get("me").status_code == 401


@pytest.mark.parametrize("path", ["/", "/sign-in", "/admin/login/"])
def test_pages_that_are_read_are_not_counted(program, path):
    for _ in range(5):
        assert program.client.get(path).status_code == 200
    assert redis_client().get(api_rate(HERE)) is None


FORMS = [
    *("/sign-in", "/sign-up", "/sign-out", "/i18n/setlang/", "/admin/login/"),
    *("/admin/accounts/user/add/", "/healthz", "/nowhere"),
]


@pytest.mark.parametrize("path", FORMS)
def test_what_pages_send_is_counted_with_the_apis_requests(program, path):
    program.get("me")
    answers = [program.client.post(path).status_code for _ in range(2)]
    assert 429 not in answers
    refused = program.client.post(path)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 60
    assert "That was too fast." in refused.content.decode()
    assert refused["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in refused["Content-Security-Policy"]
    assert program.get("me").status_code == 429


@pytest.mark.parametrize("method", ["put", "patch", "delete", "report"])
def test_no_method_that_writes_goes_uncounted(program, method):
    answers = [program.client.generic(method.upper(), "/sign-in") for _ in range(4)]
    assert [answer.status_code for answer in answers][-1] == 429


def test_a_page_is_refused_in_korean_too(program):
    for _ in range(4):
        refused = program.client.post("/sign-in", headers={"accept-language": "ko"})
    assert "너무 빠릅니다." in refused.content.decode()


@pytest.mark.usefixtures("redis_away")
def test_without_redis_requests_go_on(program):
    assert {program.get("me").status_code for _ in range(5)} == {401}


def test_the_refusal_is_in_the_callers_language(program, monkeypatch):
    text, words = "That was too fast. Try again in a moment.", "너무 빠릅니다."
    catalog = trans_real.translation("ko")._catalog._catalogs[0]
    monkeypatch.setitem(catalog, text, words)
    for _ in range(3):
        program.get("me")
    refused = [program.get("me", accept_language=name) for name in ("ko", "en")]
    messages = [answer.json()["error"]["message"] for answer in refused]
    assert messages == [words, text]


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("nonsense", "unknown"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
    ],
)
def test_an_address_is_counted_as_what_one_client_has(remote, expected):
    headers = {"X-Forwarded-For": "198.51.100.9"}
    request = RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers)
    assert client_address(request) == expected
