"""Clients of `/ws/v1/events` inside the test process."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from importlib import import_module

from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from pingvas.asgi import application

ORIGIN = "http://testserver"


async def in_thread(function, *args, **kwargs):
    run = database_sync_to_async(function, thread_sensitive=False)
    return await run(*args, **kwargs)


def session_of(user):
    """The cookie header of a browser in which `user` is signed in."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def communicator(query="", cookie="", origin=ORIGIN, host="testserver"):
    headers = [(b"host", host.encode())]
    if cookie:
        headers.append((b"cookie", cookie.encode()))
    if origin:
        headers.append((b"origin", origin.encode()))
    return WebsocketCommunicator(application, f"/ws/v1/events{query}", headers)


class Client:
    """An open socket whose `hello` was taken."""

    def __init__(self, socket, hello):
        self.socket = socket
        self.hello = hello

    async def frame(self, timeout=5):
        return json.loads(await self.socket.receive_from(timeout))

    async def frames(self, count):
        return [await self.frame() for _ in range(count)]

    async def is_silent(self):
        return await self.socket.receive_nothing(0.3)


@asynccontextmanager
async def open_socket(user=None, query="", **options):
    cookie = await in_thread(session_of, user) if user else ""
    socket = communicator(query, cookie, **options)
    accepted, _ = await socket.connect(timeout=5)
    assert accepted
    try:
        yield Client(socket, json.loads(await socket.receive_from(5)))
    finally:
        await socket.disconnect()


async def refusal(query="", **options):
    """The close code of a socket that is accepted only to be told why not."""
    socket = communicator(query, **options)
    accepted, _ = await socket.connect(timeout=5)
    assert accepted
    closed = await socket.receive_output(5)
    await asyncio.wait_for(socket.wait(), 5)
    assert closed["type"] == "websocket.close"
    return closed["code"]
