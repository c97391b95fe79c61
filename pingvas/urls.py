"""Where requests go. Apps are wired by dotted name: the ground imports none."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from pingvas.core import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
]
