"""One port: HTTP runs on a kept pool of threads, WebSockets on the event loop.

Django's own ASGI handler starts threads for every request; the WSGI application on a
pool that is kept serves about ten times as many.
"""

from __future__ import annotations

import os

from a2wsgi import WSGIMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pingvas.settings")
wsgi_application = get_wsgi_application()

from django.conf import settings

from pingvas.core.checks import refuse_unsafe_production

refuse_unsafe_production()

application = ProtocolTypeRouter(
    {
        "http": WSGIMiddleware(wsgi_application, workers=settings.WEB_THREADS),
        "websocket": URLRouter(import_string("pingvas.routing.websocket_urlpatterns")),
    }
)
