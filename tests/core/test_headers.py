"""What every answer tells browsers and caches."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from pingvas.core.headers import PERMISSIONS
from tests.accounts.api import Program, signed_in
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db

PRIVATE = [
    *("me", "jobs", "images", "models", "credits", "credits/transactions", "plans"),
    *("jobs/00000000-0000-4000-8000-000000000000", "nowhere", "images?after=x"),
]


@pytest.fixture
def alice():
    return make_user("alice")


def is_kept_from_caches(answer):
    vary = {name.strip().lower() for name in answer["Vary"].split(",")}
    return answer["Cache-Control"] == "private, no-store" and vary >= {
        "authorization",
        "cookie",
    }


@pytest.mark.parametrize("path", PRIVATE)
def test_no_cache_keeps_what_the_api_says(alice, path):
    assert is_kept_from_caches(signed_in(alice).get(path))
    assert is_kept_from_caches(Program().get(path))


def test_nor_tokens_accounts_and_refusals(alice, settings):
    program = Program()
    new = {"email": "new@example.com", "password": PASSWORD}
    answers = [
        program.post("auth/signup", new),
        program.post("auth/token", new),
        program.post("auth/token", {"email": "x"}),
        program.post("auth/token/refresh", {"refresh": "x"}),
        signed_in(alice).post("auth/ws-ticket"),
        signed_in(alice).post("auth/logout"),
        Client().get("/api/v1/me", headers={"host": "foreign.example"}),
        program.client.post("/api/v1/auth/token", b"{", content_type="text/plain"),
    ]
    assert {answer.status_code for answer in answers} == {200, 201, 204, 400, 401, 415}
    settings.API_REQUESTS_PER_MINUTE = 0
    answers.append(program.get("me"))
    assert answers[-1].status_code == 429
    assert [one for one in answers if not is_kept_from_caches(one)] == []


def policy(answer):
    parts = answer["Content-Security-Policy"].split("; ")
    return dict(part.split(" ", 1) for part in parts)


PAGES = ["/", "/sign-in", "/sign-up", "/create", "/gallery", "/credits", "/nowhere"]


@pytest.mark.parametrize("path", [*PAGES, "/gallery?after=x"])
@pytest.mark.parametrize("signed", [False, True])
def test_a_page_runs_our_own_files_alone(alice, path, signed):
    client = Client()
    if signed:
        client.force_login(alice)
    answer = client.get(path)
    found = policy(answer)
    assert "script-src" not in found
    assert found["default-src"] == "'self'"
    assert not re.search("unsafe|http|\\*|data:", answer["Content-Security-Policy"])
    for part in ("frame-src", "object-src", "base-uri", "frame-ancestors"):
        assert found[part] == "'none'"
    assert answer["Permissions-Policy"] == PERMISSIONS
    assert (
        answer["Cache-Control"].startswith("private")
        or "private" in (answer["Cache-Control"])
    )


CONSOLE = ["/admin/login/", "/admin/", "/admin/accounts/user/", "/admin/logout/"]


@pytest.mark.parametrize("path", CONSOLE)
def test_the_console_alone_makes_functions_out_of_words(path):
    client = Client()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    answer = client.get(path) if "logout" not in path else client.post(path)
    found = policy(answer)
    assert found["script-src"] == "'self' 'unsafe-eval'"
    assert found["style-src-attr"] == "'unsafe-inline'"
    assert {"style-src", "style-src-elem", "script-src-attr"}.isdisjoint(found)
    assert "http" not in answer["Content-Security-Policy"]
    for part in ("frame-src", "object-src", "base-uri", "frame-ancestors"):
        assert found[part] == "'none'"
    assert answer["Permissions-Policy"] == PERMISSIONS


@pytest.mark.parametrize("path", ["/", "/admin/"])
def test_no_page_has_a_script_or_a_style_in_itself(path):
    client = Client()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    page = client.get(path).content.decode()
    assert "<style" not in page
    scripts = re.findall(r"<script[^>]*>", page)
    assert [one for one in scripts if "src=" not in one] == []


def test_the_consoles_colours_are_a_file(settings):
    answer = Client().get(reverse("admin:theme"))
    assert answer["Content-Type"] == "text/css"
    css = answer.content.decode()
    assert css.startswith(":root {")
    assert re.search(r"--color-primary-600: \S[^;<]+;", css)
    assert re.search(r"--color-base-900: \S[^;<]+;", css)
    page = Client().get(reverse("admin:login")).content.decode()
    assert reverse("admin:theme") in page


@pytest.mark.parametrize(
    ("endpoint", "hosts"),
    [
        (
            "https://store.example.com:8333",
            "https://store.example.com:8333 https://pics.store.example.com:8333",
        ),
        (
            None,
            "https://s3.eu-west-1.amazonaws.com https://pics.s3.eu-west-1.amazonaws.com"
            " https://s3.amazonaws.com https://pics.s3.amazonaws.com",
        ),
    ],
)
def test_pictures_come_from_the_object_store_and_nowhere_else(
    settings, endpoint, hosts
):
    options = {
        "endpoint_url": endpoint,
        "bucket_name": "pics",
        "region_name": "eu-west-1",
    }
    settings.STORAGE_BACKEND = "s3"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": options},
    }
    for path in ("/", "/admin/login/"):
        assert policy(Client().get(path))["img-src"] == f"'self' blob: {hosts}"
