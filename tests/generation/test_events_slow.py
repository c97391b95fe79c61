"""Clients that read slowly or not at all: who is closed, and who is waited for."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from generation import consumers
from pingvas.asgi import application
from pingvas.core.events import Event, publish
from tests.cast import make_user
from tests.generation.event_socket import in_thread, open_socket

pytestmark = pytest.mark.django_db(transaction=True)
KILOBYTE = 1024


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture(autouse=True)
def quick_checks(monkeypatch):
    monkeypatch.setattr(consumers, "STALL_CHECK_SECONDS", 0.1)


class Tap:
    """The application behind a connection that takes no frame while it is shut."""

    def __init__(self):
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def __call__(self, scope, receive, send):
        async def pass_on(message):
            if message["type"] == "websocket.send":
                await self.is_open.wait()
            await send(message)

        await application(scope, receive, pass_on)


async def tell(user, kilobytes):
    """So much, in events of 32 KB; the number of the last."""

    def publish_all():
        for _ in range(kilobytes // 32):
            event = Event(user.id, "job.progress", {"text": "x" * 32 * KILOBYTE})
            last = publish(event)
        return last

    return await in_thread(publish_all)


async def test_a_megabyte_behind_is_too_slow(alice):
    tap = Tap()
    async with open_socket(alice, app=tap) as client:
        tap.is_open.clear()
        await tell(alice, 1100)
        assert await client.closing_code() == 4008


async def test_half_a_megabyte_behind_is_waited_for(alice):
    tap = Tap()
    async with open_socket(alice, app=tap) as client:
        tap.is_open.clear()
        last = await tell(alice, 512)
        await asyncio.sleep(0.5)
        tap.is_open.set()
        frames = await client.frames(16)
        assert frames[-1]["seq"] == last


async def test_a_client_that_takes_nothing_for_long_is_too_slow(alice, monkeypatch):
    monkeypatch.setattr(consumers, "LONGEST_STALL_SECONDS", 0.5)
    tap = Tap()
    async with open_socket(alice, app=tap) as client:
        tap.is_open.clear()
        await tell(alice, 32)
        assert await client.closing_code() == 4008


async def test_a_long_replay_is_not_the_clients_fault(alice):
    first = await tell(alice, 32)
    last = await tell(alice, 3200)
    tap = Tap()
    async with open_socket(alice, f"?since={first}", app=tap) as client:
        tap.is_open.clear()
        await asyncio.sleep(0.5)
        tap.is_open.set()
        frames = await client.frames(100)
        assert [f["seq"] for f in frames] == list(range(first + 1, last + 1))


async def test_the_end_of_a_job_is_there_for_a_client_that_was_too_slow(alice):
    tap = Tap()
    async with open_socket(alice, app=tap) as client:
        seen = client.hello["seq"]
        tap.is_open.clear()
        await tell(alice, 1100)
        end = await in_thread(publish, Event(alice.id, "job.completed", {}, uuid4()))
        assert await client.closing_code() == 4008
    async with open_socket(alice, f"?since={seen}") as client:
        frames = await client.frames(end - seen)
        assert (frames[-1]["seq"], frames[-1]["type"]) == (end, "job.completed")


async def test_a_client_that_leaves_while_it_is_behind_is_forgotten(alice):
    tap = Tap()
    async with open_socket(alice, app=tap):
        tap.is_open.clear()
        await tell(alice, 32)
