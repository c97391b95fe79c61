"""One port: HTTP runs on a kept pool of threads, WebSockets on the event loop.

Django's own ASGI handler starts threads for every request; the WSGI application on a
pool that is kept serves about ten times as many.
"""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

from pingvas.core.checks import refuse_unsafe_production
from pingvas.core.db.login import expect_login
from pingvas.core.db.roles import WEB
from pingvas.core.requests import Utf8Request
from pingvas.core.threads import ThreadedApplication

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pingvas.settings")
wsgi_application = get_wsgi_application()
wsgi_application.request_class = Utf8Request
refuse_unsafe_production()
expect_login(WEB)

application = ProtocolTypeRouter(
    {
        "http": ThreadedApplication(wsgi_application, threads=settings.WEB_THREADS),
        "websocket": URLRouter(import_string("pingvas.routing.websocket_urlpatterns")),
    }
)
