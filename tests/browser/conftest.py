"""A real browser against the real web process, with a worker that draws.

The database is not emptied between these tests: each has people of its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from functools import partial
from uuid import uuid4

import pytest
import torch
from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from django.db import connection
from playwright.sync_api import expect, sync_playwright

from accounts.tiers import Tier
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.sessions import SessionStore
from tests.browser.studio import Studio, book
from tests.browser.web import running_web
from tests.cast import make_user
from tests.workers.engine import checkpoints
from workers.engine.engine import Engine
from workers.model_cache import ModelCache
from workers.runner import Runner

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
]
# What the browser and htmx note down of a request that failed.
REFUSALS = (
    "Failed to load resource",
    "WebSocket",
    "Response Status Error Code",
    "htmx:sendError",
    "htmx:afterRequest",
)
names = itertools.count(1)

# A busy machine is slow, not wrong.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session", autouse=True)
def database(django_db_setup, django_db_blocker):
    # Playwright's own event loop lives in this thread; Django sees it and refuses.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with django_db_blocker.unblock():
        yield
    connection.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module", autouse=True)
def fresh_pool():
    """One pool for all modules: the worker's thread outlives them, and would meet a
    closed one."""


@pytest.fixture(scope="session")
def model(database, tmp_path_factory):
    """A true pipeline of tiny width: real pictures, and quick ones."""
    folder = checkpoints.build("sd15", tmp_path_factory.mktemp("model") / "sd15")
    call_command("add_model", str(folder), name="tiny", base="sd15", verbosity=0)


@pytest.fixture(scope="session")
def worker(model, tmp_path_factory):
    """A generation worker in a thread, which looks for work by itself."""
    # The machine's cores are shared with a browser and two servers.
    torch.set_num_threads(1)
    cache = ModelCache(tmp_path_factory.mktemp("cache"), 10**9)
    runner = Runner(Engine(), cache, list(Tier.values))
    runner.register("browser tests")
    is_over = threading.Event()

    def work():
        while not is_over.wait(0.2):
            runner.beat()
            runner.run_all_when_idle()
        connection.close()

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    yield runner
    is_over.set()
    thread.join()
    cache.release()


@pytest.fixture(scope="session")
def web(database, tmp_path_factory):
    with running_web(tmp_path_factory.mktemp("web") / "log") as address:
        yield address


@pytest.fixture(scope="session")
def program():
    """Where Chromium is."""
    found = [shutil.which(name) for name in ("chromium", "chromium-browser")]
    return next(filter(None, found), None) or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def launch(program):
    """Starts a Chromium: `launch(ignore_default_args=[...])`."""
    options = {"executable_path": program, "args": CHROMIUM_ARGUMENTS}
    with sync_playwright() as playwright:
        yield partial(playwright.chromium.launch, **options)


@pytest.fixture(scope="session")
def chromium(launch):
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture
def visit(chromium, web):
    """Opens a browser of one's own: `visit(locale="ko-KR")`.

    Anything that a page's script or policy complains about fails the test.
    """
    contexts, complaints = [], []

    def _visit(**options):
        options = {"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | (
            options
        )
        context = chromium.new_context(base_url=web, **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: _note(said, complaints))
        return page

    yield _visit
    for context in contexts:
        context.close()
    assert complaints == []


def _note(said, complaints):
    # Refused requests are what some tests are about; the page says so by itself.
    if said.type == "error" and not any(words in said.text for words in REFUSALS):
        complaints.append(said.text)


@pytest.fixture
def newcomer():
    """With the free month's credits and nothing more."""
    return make_user(f"person{next(names)}")


@pytest.fixture
def person(newcomer):
    """With credits enough for whatever this machine is measured to need."""
    book(newcomer, 100_000)
    return newcomer


@pytest.fixture
def enter(visit, web):
    """`enter(user, "/gallery")`: a page of their own, signed in."""

    def _enter(user, path, **options):
        page = visit(**options)
        page.context.add_cookies([session_cookie(user, web)])
        page.goto(path)
        return page

    return _enter


@pytest.fixture
def damaged(model):
    """A model whose files the store has lost: its jobs fail."""
    with acting_as(SERVICE):
        lost = AIModel.objects.get(name="tiny")
        lost.id, lost.name = uuid4(), "damaged"
        lost.s3_key, lost.sha256_hash = "models/nowhere", "0" * 64
        lost.save(force_insert=True)
    yield "damaged"
    with acting_as(SERVICE):
        lost.delete()


@pytest.fixture
def studio(enter, person, worker):
    """A person with credits on the Create page, and a worker that draws."""

    def _studio(**options):
        return Studio(enter(person, "/create", **options))

    return _studio


def session_cookie(user, address):
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = django_settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    name = django_settings.SESSION_COOKIE_NAME
    return {"name": name, "value": session.session_key, "url": address}
