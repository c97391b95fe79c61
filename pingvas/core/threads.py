"""The WSGI application on threads that are kept, under the server's event loop.

A thread never waits for a client: the loop reads the body before it takes one, and
sends the answer after it is free again. A request crosses from the loop to its thread
once and back once. a2wsgi's own middleware crosses for the body and for every part of
the answer, and waits in the thread for both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from a2wsgi.wsgi import build_environ

from pingvas.core.errors import PingvasError, RequestTooSlow
from pingvas.core.serving.answers import Answer, FileToSend
from pingvas.core.serving.asgi_types import Receive, Scope, Send
from pingvas.core.serving.bodies import complete_environ, read_body
from pingvas.core.serving.holds import MEGABYTE, Hold, Store
from pingvas.core.serving.pace import ClientGone
from pingvas.core.serving.refusals import refuse

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

GRACE_SECONDS = 10.0
STUCK_SECONDS = 60.0


class Occupancy:
    """How many requests have or want a thread, and whether any gets on."""

    def __init__(self, threads: int, clock: Callable[[], float]) -> None:
        self._threads = threads
        self._clock = clock
        self._count = 0
        self._moved_at = clock()

    def enter(self) -> None:
        self._count += 1
        if self._count == self._threads + 1:
            # The first that waits: what was before says nothing.
            self._moved_at = self._clock()

    def leave(self) -> None:
        self._count -= 1
        self._moved_at = self._clock()

    @property
    def is_stuck(self) -> bool:
        """Whether requests wait, and no thread has finished one for long."""
        is_waiting = self._count > self._threads
        return is_waiting and self._clock() - self._moved_at > STUCK_SECONDS


class ThreadedApplication:
    """`application`, a WSGI one, as an ASGI application for HTTP on so many threads.

    bodies, answers: where they wait. grace: seconds that a client has before the least
    rate counts.
    """

    def __init__(
        self,
        application: WsgiApplication,
        *,
        threads: int,
        bodies: Store | None = None,
        answers: Store | None = None,
        grace: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="http")
        self._bodies = bodies or _roomy()
        self._answers = answers or _roomy()
        self._grace = grace
        self.occupancy = Occupancy(threads, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._body(scope, receive)
        except ClientGone:
            return
        except PingvasError as error:
            # Of a body that came too slowly nothing is on its way.
            unread = not isinstance(error, RequestTooSlow)
            await refuse(scope, receive, send, error, unread=unread)
            return
        answer = Answer(self._answers)
        try:
            await self._answer(scope, body, answer)
            await answer.send(send, head_only=scope["method"] == "HEAD")
        except PingvasError as error:
            # There was no room for the answer: nothing of it was sent.
            await refuse(scope, receive, send, error, unread=False)
        finally:
            answer.release()

    async def _body(self, scope: Scope, receive: Receive) -> Hold:
        return await read_body(scope, receive, store=self._bodies, grace=self._grace)

    async def _answer(self, scope: Scope, body: Hold, answer: Answer) -> None:
        """Let a thread make the answer."""
        environ = _environ(scope, body)
        loop = asyncio.get_running_loop()
        run = copy_context().run
        self.occupancy.enter()
        try:
            await loop.run_in_executor(self._pool, run, self._run, environ, answer)
        finally:
            self.occupancy.leave()
            body.release()

    def _run(self, environ: dict[str, Any], answer: Answer) -> None:
        chunks: Any = self._application(environ, answer.start)
        try:
            answer.take(chunks)
        finally:
            # Here, not on the loop: it gives this thread's connection back.
            getattr(chunks, "close", lambda: None)()


def _roomy() -> Store:
    return Store(memory=64 * MEGABYTE, files=256 * MEGABYTE)


def _environ(scope: Scope, body: Hold) -> dict[str, Any]:
    # Typed for a2wsgi's own body, which waits for the client.
    build: Any = build_environ
    environ: dict[str, Any] = build(scope, body.reader())
    environ["wsgi.file_wrapper"] = FileToSend
    complete_environ(environ, body.size)
    return environ
