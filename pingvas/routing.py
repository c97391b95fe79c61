"""WebSocket paths. An unknown one is refused instead of answering with a traceback."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path


class RefuseUnknown(AsyncWebsocketConsumer):  # type: ignore[misc]  # untyped package
    async def connect(self) -> None:
        await self.close()


websocket_urlpatterns: list[Any] = [re_path(r"", RefuseUnknown.as_asgi())]
