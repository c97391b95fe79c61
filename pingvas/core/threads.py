"""The WSGI application on threads that are kept, under the server's event loop.

A request crosses from the loop to its thread once and back once: its body has usually
come with it, and a short answer is sent as a whole. a2wsgi's own middleware crosses for
the body and for every part of the answer.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from io import BytesIO
from typing import Any

from a2wsgi.wsgi import Body, build_environ

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# An answer up to this size waits for its end; of a longer one no more is held.
HELD_BYTES = 64 * 1024


class ThreadedApplication:
    """`application`, a WSGI one, as an ASGI application for HTTP on so many threads."""

    def __init__(self, application: Application, *, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="http")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        first = await receive()
        if first["type"] == "http.disconnect":
            return
        loop = asyncio.get_running_loop()
        environ = build_environ(scope, _body(first, receive, loop))
        answer = _Answer(send, loop)
        run = copy_context().run
        await loop.run_in_executor(self._pool, run, self._run, environ, answer)
        await answer.send_held()

    def _run(self, environ: Any, answer: _Answer) -> None:
        chunks = self._application(environ, answer.start)
        try:
            for chunk in chunks:
                answer.write(chunk)
        finally:
            getattr(chunks, "close", lambda: None)()
        answer.end()


def _body(first: Message, receive: Any, loop: AbstractEventLoop) -> Any:
    """What `wsgi.input` reads: all that came, or what comes as it is asked for."""
    content = first.get("body", b"")
    if not first.get("more_body"):
        return BytesIO(content)
    body = Body(loop, receive)
    body.buffer.extend(content)
    return body


class _Answer:
    """An answer on its way: held while it is short, else sent part by part."""

    def __init__(self, send: Send, loop: AbstractEventLoop) -> None:
        self._send = send
        self._loop = loop
        self._head: Message | None = None
        self._held = bytearray()
        self._is_over = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self._head = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": [
                # Django's cookies begin with a space.
                (name.lower().encode("latin1"), value.strip().encode("latin1"))
                for name, value in headers
            ],
        }
        return self.write

    def write(self, chunk: bytes) -> None:
        self._held += chunk
        if len(self._held) > HELD_BYTES:
            # The thread waits, so that a slow reader is not read ahead of.
            sending = asyncio.run_coroutine_threadsafe(self.send_held(), self._loop)
            sending.result()

    def end(self) -> None:
        self._is_over = True

    async def send_held(self) -> None:
        if self._head is not None:
            await self._send(self._head)
            self._head = None
        body, self._held = bytes(self._held), bytearray()
        more = not self._is_over
        await self._send(
            {"type": "http.response.body", "body": body, "more_body": more}
        )
