"""WebSocket paths of this app; `pingvas.routing` wires them by name."""

from __future__ import annotations

from typing import Any

from django.urls import re_path

from generation.consumers import serve_events

websocket_urlpatterns: list[Any] = [
    # Typed for views alone.
    re_path(r"^ws/v1/events$", serve_events),  # type: ignore[arg-type]
]
