"""One port: HTTP runs on a kept pool of threads, WebSockets on the event loop.

Django's own ASGI handler starts threads for every request; the WSGI application on a
pool that is kept serves about ten times as many.
"""

from __future__ import annotations

import os

from a2wsgi import WSGIMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

from pingvas.core.checks import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pingvas.settings")
wsgi_application = get_wsgi_application()
refuse_unsafe_production()

application = ProtocolTypeRouter(
    {
        # Django types its application more narrowly than PEP 3333 does.
        "http": WSGIMiddleware(wsgi_application, workers=settings.WEB_THREADS),  # type: ignore[arg-type]
        "websocket": URLRouter(import_string("pingvas.routing.websocket_urlpatterns")),
    }
)
