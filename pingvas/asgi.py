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

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pingvas.settings")
wsgi_application = get_wsgi_application()
refuse_unsafe_production()

# By name: what it imports needs Django to be set up.
application = import_string("pingvas.core.serving.assembly.assemble")(wsgi_application)
