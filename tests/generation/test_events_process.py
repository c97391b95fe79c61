"""Sockets of a real web process, over TCP, with clients that read or do not."""

from __future__ import annotations

import asyncio
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from redis import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from accounts.models import User
from accounts.tokens import issue_ws_ticket
from pingvas.core.db.actor import IDENTITY, acting_as
from pingvas.core.events import Event, publish
from pingvas.core.redis_users import WEB
from pingvas.local.redis import EmbeddedRedis
from tests.cast import make_user
from tests.generation.event_socket import in_thread, session_of
from tests.generation.web_process import running_web

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory):
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def web(own_redis, django_db_setup):
    with running_web(own_redis.url(WEB)) as process:
        yield process


@pytest.fixture(autouse=True)
def publish_there(own_redis, monkeypatch):
    client = Redis.from_url(own_redis.url(WEB), decode_responses=True)
    for module in ("pingvas.core.events", "accounts.tokens"):
        monkeypatch.setattr(f"{module}.redis_client", lambda: client)
    yield
    client.close()


@pytest.fixture
def alice():
    return make_user("alice")


async def open_socket(web, user, since=None, **options):
    ticket = await in_thread(issue_ws_ticket, user_id=user.id)
    query = f"?token={ticket}" + (f"&since={since}" if since is not None else "")
    address = f"ws://127.0.0.1:{web.port}/ws/v1/events{query}"
    return await connect(address, proxy=None, **options)


async def next_frame(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


def tell(user, kind="job.progress", **data):
    return publish(Event(user.id, kind, data, uuid4()))


async def test_a_browser_signs_in_with_its_cookie(web, alice):
    cookie = await in_thread(session_of, alice)
    own = f"http://127.0.0.1:{web.port}"
    address = f"ws://127.0.0.1:{web.port}/ws/v1/events"
    headers = {"Cookie": cookie}
    async with connect(
        address, origin=own, additional_headers=headers, proxy=None
    ) as socket:
        assert (await next_frame(socket))["type"] == "hello"
        await in_thread(tell, alice, step=1)
        assert (await next_frame(socket))["data"] == {"step": 1}
    async with connect(
        address, origin="http://evil.example", additional_headers=headers, proxy=None
    ) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await next_frame(socket)
    assert closed.value.rcvd.code == 4403


def run_job(user):
    for step in range(10):
        tell(user, step=step)
    tell(user, "job.completed", owner=str(user.id))


def make_users(count):
    """Without passwords, whose hashing takes its time."""
    people = [User(email=f"user{number}@example.com") for number in range(count)]
    with acting_as(IDENTITY):
        return User.objects.bulk_create(people)


async def test_fifty_sockets_each_get_the_end_of_their_job(web):
    users = await in_thread(make_users, 50)
    sockets = await asyncio.gather(*(open_socket(web, user) for user in users))
    for socket in sockets:
        assert (await next_frame(socket))["type"] == "hello"

    def run_jobs():
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(run_job, users))

    async def follow(socket):
        frames = [await next_frame(socket) for _ in range(11)]
        await socket.close()
        return frames

    _, *followed = await asyncio.gather(in_thread(run_jobs), *map(follow, sockets))
    for user, frames in zip(users, followed, strict=True):
        assert [frame["data"].get("step") for frame in frames[:-1]] == list(range(10))
        assert frames[-1]["type"] == "job.completed"
        assert frames[-1]["data"] == {"owner": str(user.id)}


async def test_a_socket_lives_through_a_restart_of_redis(web, own_redis, alice):
    socket = await open_socket(web, alice)
    await next_frame(socket)
    await in_thread(tell, alice, step=1)
    before = (await next_frame(socket))["seq"]
    # Not in a thread: the server ends with the thread that started it.
    own_redis.stop()
    own_redis.start()
    after = await in_thread(tell, alice, "job.completed")
    assert after > before
    resync = await next_frame(socket)
    assert resync["type"] == "resync"
    assert resync["seq"] > before
    step = await in_thread(tell, alice, step=2)
    while (frame := await next_frame(socket))["type"] != "job.progress":
        assert frame["seq"] > before
    assert frame["seq"] == step
    await socket.close()


def noise(length):
    """Text that no compression makes small."""
    return random.Random(length).randbytes(length // 2).hex()


async def flood(user, megabytes):
    """Events of 60 KB until this much is published; the bytes that were."""
    text = noise(60_000)

    def publish_all():
        for _ in range(megabytes * 1_000_000 // 60_000):
            tell(user, text=text)

    await in_thread(publish_all)


async def test_a_client_that_never_reads_is_closed_and_costs_no_memory(web, alice):
    warm = await open_socket(web, alice)
    hello = await next_frame(warm)
    await warm.close()
    sleepers = [
        await open_socket(web, alice, max_queue=1, ping_interval=None) for _ in range(5)
    ]
    resident = web.resident_bytes
    largest = resident
    for _ in range(4):
        await flood(alice, 10)
        largest = max(largest, web.resident_bytes)
    terminal = await in_thread(tell, alice, "job.completed")
    # Each was sent a part of 40 MB; held in the process, that would be 200 MB.
    assert largest - resident < 60_000_000

    deadline = time.monotonic() + 15
    codes = []
    for sleeper in sleepers:
        last = await read_to_the_end(sleeper, deadline)
        codes.append(sleeper.close_code)
        assert hello["seq"] <= last < terminal
    assert codes == [4008] * 5

    again = await open_socket(web, alice, since=last)
    await next_frame(again)
    numbers = []
    while (frame := await next_frame(again))["type"] != "job.completed":
        numbers.append(frame["seq"])
    assert frame["seq"] == terminal
    assert numbers == list(range(last + 1, terminal))
    await again.close()


async def read_to_the_end(socket, deadline):
    """The number of the last frame before the server closed the socket."""
    # The reader has been asleep; long enough for the server to have given it up.
    await asyncio.sleep(1.5)
    sequence = 0
    try:
        while time.monotonic() < deadline:
            sequence = (await next_frame(socket))["seq"]
    except ConnectionClosed:
        return sequence
    raise AssertionError("the server did not close the socket")
