"""Plain ASGI handlers by path, beside the application that runs on threads.

For what waits: on the event loop a thousand of them cost no thread. An app lists its
own in `http_urlpatterns` of its `routing.py`, as Django writes them:

    path("api/v1/models/<uuid:model_id>/parts/<int:number>", take_part)

A handler finds the parts of its path in `scope["url_route"]["kwargs"]`. It must not
touch the database or anything else that blocks, save in threads of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import URLPattern

from pingvas.core.serving.asgi_types import Application, Receive, Scope, Send


class Routes:
    """The first pattern that matches takes the request; else `otherwise` does."""

    def __init__(
        self, patterns: Sequence[URLPattern], *, otherwise: Application
    ) -> None:
        self._patterns = patterns
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix("/")
        for pattern in self._patterns:
            if match := pattern.resolve(path):
                handler: Any = match.func
                route = {"url_route": {"kwargs": match.kwargs}}
                await handler({**scope, **route}, receive, send)
                return
        await self._otherwise(scope, receive, send)
