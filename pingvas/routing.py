"""WebSocket paths. An unknown one is refused instead of answering with a traceback."""

from __future__ import annotations

from typing import Any

from django.urls import re_path
from django.utils.module_loading import import_string


async def refuse_unknown(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


websocket_urlpatterns: list[Any] = [
    *import_string("generation.routing.websocket_urlpatterns"),
    # Typed for views alone.
    re_path(r"", refuse_unknown),  # type: ignore[arg-type]
]
