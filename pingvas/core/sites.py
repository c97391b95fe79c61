"""The staff console's site."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import autodiscover
from django.contrib.admin.apps import SimpleAdminConfig
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from pingvas.core.db.actor import SERVICE, become


class AdminConfig(SimpleAdminConfig):
    default_site = "pingvas.core.sites.PingvasAdminSite"

    def ready(self) -> None:
        super().ready()
        autodiscover()


class PingvasAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # untyped package
    """Staff see every row: their requests act as the service once they are let in."""

    site_header = _("Pingvas staff")
    site_title = _("Pingvas staff")
    index_title = _("Dashboard")

    def admin_view(
        self, view: Callable[..., HttpResponseBase], cacheable: bool = False
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def as_service(
            request: HttpRequest, *args: Any, **kwargs: Any
        ) -> HttpResponseBase:
            # Not a with block: a TemplateResponse is rendered after the view returned.
            if self.has_permission(request):
                become(SERVICE)
            return view(request, *args, **kwargs)

        wrapped: Callable[..., HttpResponseBase] = super().admin_view(
            as_service, cacheable
        )
        return wrapped
