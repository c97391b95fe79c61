"""The outermost layer: who comes, how many of them, and what became of it."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings

from pingvas.core.errors import AmbiguousLength, TooManyConnections
from pingvas.core.serving.asgi_types import (
    Application,
    Message,
    Receive,
    Scope,
    Send,
)
from pingvas.core.serving.bodies import declared_length
from pingvas.core.serving.clients import address_in, identified
from pingvas.core.serving.places import Places
from pingvas.core.serving.refusals import refuse
from pingvas.core.serving.visits import Visit, safe_path
from pingvas.log import is_safe_id, set_request_id

REQUEST_ID = b"x-request-id"
# Close code of a socket that is one too many for its address or its user.
TOO_MANY_SOCKETS = 4429
RETRY_SECONDS = 5


class Door:
    """`application` as the server calls it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._requests = Places()
        self._sockets = Places()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serve = {"http": self._serve, "websocket": self._serve_socket}
        scope = identified(scope)
        visit = _visit(scope)
        set_request_id(visit.request_id)
        scope = {**scope, "visit": visit, "headers": _with_id(scope, visit)}
        try:
            await serve[scope["type"]](scope, receive, _watched(send, visit))
        finally:
            visit.write()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_in(scope)
        if not self._requests.take(address, settings.CONNECTIONS_PER_ADDRESS):
            error = TooManyConnections(retry_after=RETRY_SECONDS)
            await refuse(scope, receive, send, error)
            return
        try:
            declared_length(scope["headers"])
            await self._application(scope, receive, send)
        except AmbiguousLength as error:
            await refuse(scope, receive, send, error)
        finally:
            self._requests.leave(address)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_in(scope)
        if not self._sockets.take(address, settings.SOCKETS_PER_ADDRESS):
            await receive()
            # Accepted to be refused: before that, a close code never arrives.
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": TOO_MANY_SOCKETS})
            return
        try:
            await self._application(scope, receive, send)
        finally:
            self._sockets.leave(address)


def _visit(scope: Scope) -> Visit:
    given = dict(scope["headers"]).get(REQUEST_ID, b"").decode("latin-1")
    return Visit(
        method=scope.get("method", "WEBSOCKET"),
        path=safe_path(scope.get("raw_path") or scope["path"].encode()),
        request_id=given if is_safe_id(given) else uuid4().hex,
    )


def _with_id(scope: Scope, visit: Visit) -> list[tuple[bytes, bytes]]:
    """The headers with this request's id, which the application takes over."""
    others = [pair for pair in scope["headers"] if pair[0] != REQUEST_ID]
    return [*others, (REQUEST_ID, visit.request_id.encode())]


def _watched(send: Send, visit: Visit) -> Send:
    """`send`, noting what is sent; every answer has the request's id."""

    async def watched(message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            visit.status = message["status"]
            if not any(name == REQUEST_ID for name, _ in message["headers"]):
                pair = (REQUEST_ID, visit.request_id.encode())
                message = {**message, "headers": [*message["headers"], pair]}
        elif kind == "websocket.close":
            visit.status = message.get("code", 1000)
        elif kind == "websocket.accept":
            visit.status = 101
        else:
            visit.sent += len(message.get("body") or message.get("text") or b"")
        await send(message)

    return watched
