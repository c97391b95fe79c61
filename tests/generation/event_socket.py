"""Clients of `/ws/v1/events` inside the test process."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from importlib import import_module

from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
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


class Socket(ApplicationCommunicator):
    """A WebSocket request to the whole application, as a server would pass it on."""

    def __init__(
        self,
        query="",
        cookie="",
        origin=ORIGIN,
        path="/ws/v1/events",
        app=application,
    ):
        headers = {"host": "testserver", "cookie": cookie, "origin": origin}
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.removeprefix("?").encode(),
            "headers": [(n.encode(), v.encode()) for n, v in headers.items() if v],
            "subprotocols": [],
        }
        super().__init__(app, scope)

    async def connect(self):
        """The server's first answer."""
        await self.send_input({"type": "websocket.connect"})
        return await self.receive_output(5)

    async def frame(self):
        sent = await self.receive_output(5)
        assert sent["type"] == "websocket.send", sent
        return json.loads(sent["text"])

    async def frames(self, count):
        return [await self.frame() for _ in range(count)]

    async def say(self, **content):
        await self.send_input({"type": "websocket.receive", **content})

    async def is_silent(self):
        return await self.receive_nothing(0.3)

    async def closing_code(self):
        closed = await self.receive_output(5)
        assert closed["type"] == "websocket.close", closed
        await self.wait(5)
        return closed["code"]


@asynccontextmanager
async def open_socket(user=None, query="", **options):
    """A socket whose `hello` was taken."""
    cookie = await in_thread(session_of, user) if user else ""
    socket = Socket(query, cookie, **options)
    assert (await socket.connect())["type"] == "websocket.accept"
    socket.hello = await socket.frame()
    try:
        yield socket
    finally:
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(5)


async def refusal(query="", **options):
    """The close code of a socket that is accepted only to be told why not."""
    socket = Socket(query, **options)
    assert (await socket.connect())["type"] == "websocket.accept"
    return await socket.closing_code()
