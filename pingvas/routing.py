"""Paths that the event loop serves: WebSockets, and handlers that would wait.

An unknown WebSocket path is refused instead of answering with a traceback.
"""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, re_path
from django.utils.module_loading import import_string


async def refuse_unknown(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


# Plain ASGI handlers (`pingvas.core.serving.routes`): one line for each app that has
# some, as below.
http_urlpatterns: list[URLPattern] = [
    *import_string("pingvas.core.storage.routing.http_urlpatterns"),
]

websocket_urlpatterns: list[Any] = [
    *import_string("generation.routing.websocket_urlpatterns"),
    # Typed for views alone.
    re_path(r"", refuse_unknown),  # type: ignore[arg-type]
]
