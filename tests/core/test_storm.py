"""A real web process, attacked by slow clients, while honest ones use it.

`make slow` is the same with 200 clients of each kind for a minute.
"""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings

from bench.attackers import PICTURE_BYTES, Outcome, attack, kinds_of
from pingvas.core.storage.local import LocalStore
from tests.cast import make_user
from tests.generation.event_socket import in_thread, session_of
from tests.generation.web_process import running_web

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "storm/picture.png"
THREADS = 2
EACH = 20
PATIENCE = 100


@pytest.fixture
def picture():
    """A link to a large file in the store."""
    path = Path(settings.MEDIA_ROOT) / KEY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(PICTURE_BYTES))
    store = LocalStore(Path(settings.MEDIA_ROOT))
    yield store.download_link(KEY, file_name="picture.png", seconds=300), path
    path.unlink()


class Honest:
    """A client that sends and reads at once."""

    def __init__(self, port, cookie):
        self.port = port
        self.cookie = cookie

    def ask(self, path, content=None):
        """What is answered, after a moment at most."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content)
        request.add_header("Cookie", self.cookie)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.read()


async def test_honest_clients_are_served_while_slow_ones_hold_all_they_can(picture):
    link, path = picture
    kinds = kinds_of(link)
    cookie = await in_thread(session_of, await in_thread(make_user, "alice"))
    questions = [
        (["/healthz"], b'{"status": "ok"}'),
        (["/gallery"], b"/sign-out"),
        ([link], path.read_bytes()),
        (["/api/v1/auth/token", b"[" + b" " * 500_000 + b"]"], b"parse_error"),
    ]
    with running_web(
        os.environ["REDIS_URL"], CLIENT_GRACE_SECONDS="1", WEB_THREADS=str(THREADS)
    ) as web:
        honest = Honest(web.port, cookie)
        outcome = Outcome()
        storm = asyncio.create_task(attack(web.port, link, each=EACH, outcome=outcome))
        async with asyncio.timeout(PATIENCE):
            # Until each attacker was let go, on average, and came back.
            while min(outcome.ended[kind] for kind in kinds) < EACH:
                for question, expected in questions:
                    found = await asyncio.to_thread(honest.ask, *question)
                    assert expected in found, (question[0], found[:500])
        storm.cancel()
    answers = {
        "slow body: 408",
        "drip writer: 408",
        "drip reader: 200",
        "slow head: 408",
        "hung handshake: 414",
    }
    assert set(outcome.answers) == answers
