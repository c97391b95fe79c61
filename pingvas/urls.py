"""Where requests go. Apps are wired by dotted name: the ground imports none."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from pingvas.core import health
from pingvas.landing import LandingPage

handler400 = "pingvas.core.error_pages.bad_request"
handler403 = "pingvas.core.error_pages.permission_denied"
handler404 = "pingvas.core.error_pages.page_not_found"
handler500 = "pingvas.core.error_pages.server_error"

urlpatterns = [
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/", include("pingvas.core.storage.urls")),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("billing.api.urls")),
    path("api/v1/", include("gallery.api.urls")),
    path("api/v1/", include("generation.api.urls")),
    path("api/v1/", include("modelhub.api.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", LandingPage.as_view(), name="landing"),
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    path("", include("gallery.urls")),
    path("", include("generation.urls")),
]
