"""The layers put together, as `pingvas.asgi` serves them."""

from __future__ import annotations

from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path
from django.utils.module_loading import import_string

from pingvas.core.health import healthz_of
from pingvas.core.serving.bodies import LARGEST_BODY
from pingvas.core.serving.door import Door
from pingvas.core.serving.holds import Store
from pingvas.core.serving.routes import Routes
from pingvas.core.threads import ThreadedApplication

# Of what all bodies may take, one address may have an eighth.
BODY_SHARES = 8


def assemble(wsgi_application: Any) -> Door:
    """The ASGI application around Django's WSGI one."""
    threads = ThreadedApplication(
        wsgi_application,
        threads=settings.WEB_THREADS,
        bodies=_store(shares=BODY_SHARES, largest=LARGEST_BODY),
        answers=_store(),
        grace=settings.CLIENT_GRACE_SECONDS,
    )
    plain = [
        path("healthz", healthz_of(threads.occupancy)),  # type: ignore[arg-type]  # typed for views alone
        *import_string("pingvas.routing.http_urlpatterns"),
    ]
    sockets = URLRouter(import_string("pingvas.routing.websocket_urlpatterns"))
    routes = Routes(plain, otherwise=threads)
    return Door(ProtocolTypeRouter({"http": routes, "websocket": sockets}))


def _store(*, shares: int = 1, largest: int = 0) -> Store:
    """One for bodies and one for answers: who sends slowly keeps no answer back."""
    half = settings.SPOOL_BYTES // 2
    return Store(
        memory=half // 4,
        files=half,
        shares=shares,
        largest=largest,
        folder=settings.SPOOL_ROOT,
    )
