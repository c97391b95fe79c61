"""Where requests go. Apps are wired by dotted name: the ground imports none."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from pingvas.core import health

handler500 = "pingvas.core.api.errors.server_error"

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("billing.api.urls")),
    path("api/v1/", include("gallery.api.urls")),
    path("api/v1/", include("generation.api.urls")),
    path("api/v1/", include("modelhub.api.urls")),
]
