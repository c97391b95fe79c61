"""One port: HTTP runs on a kept pool of threads, WebSockets on the event loop.

Django's own ASGI handler starts threads for every request; the WSGI application on a
pool that is kept serves about ten times as many. What has to wait is neither: a plain
ASGI handler, named in `pingvas.routing.http_urlpatterns`.
"""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

from pingvas.core.checks import refuse_unsafe_production
from pingvas.core.db.login import expect_login
from pingvas.core.db.roles import WEB
from pingvas.core.requests import Utf8Request

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pingvas.settings")
wsgi_application = get_wsgi_application()
wsgi_application.request_class = Utf8Request
refuse_unsafe_production()
expect_login(WEB)

# By name: what it imports needs Django to be set up.
application = import_string("pingvas.core.serving.assembly.assemble")(wsgi_application)
