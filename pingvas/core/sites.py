"""The staff console's site."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import autodiscover, site
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from pingvas.core.db.actor import SERVICE, become
from pingvas.core.staff_words import name_for_staff


class AdminConfig(SimpleAdminConfig):
    default_site = "pingvas.core.sites.PingvasAdminSite"

    def ready(self) -> None:
        super().ready()
        autodiscover()
        name_for_staff(site)


class PingvasAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # untyped package
    """Staff see every row: their requests act as the service once they are let in."""

    site_header = _("Pingvas staff")
    site_title = _("Pingvas staff")
    index_title = _("Dashboard")

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """The sign-in page; a refused attempt has its own status, as in the studio."""
        extra = dict(extra_context or {})
        if REDIRECT_FIELD_NAME not in request.GET:
            # Unfold's form forgets where to go on: it would be the studio.
            goal = urlencode({REDIRECT_FIELD_NAME: reverse("admin:index")})
            extra["app_path"] = f"{request.path}?{goal}"
        response: HttpResponseBase = super().login(request, extra)
        form = getattr(response, "context_data", {}).get("form")
        refusal = getattr(form, "refusal", None)
        if refusal is not None:
            response.status_code = refusal.status
            refusal.add_headers(response)
        return response

    def refuse(self, request: HttpRequest) -> HttpResponseBase:
        """Within the console, so that its menu shows what is open."""
        context = {**self.each_context(request), "title": _("Not allowed")}
        return TemplateResponse(request, "admin/refused.html", context, status=403)

    def admin_view(
        self, view: Callable[..., HttpResponseBase], cacheable: bool = False
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def as_service(
            request: HttpRequest, *args: Any, **kwargs: Any
        ) -> HttpResponseBase:
            # Not a with block: a TemplateResponse is rendered after the view returned.
            if not self.has_permission(request):
                return view(request, *args, **kwargs)
            become(SERVICE)
            try:
                return view(request, *args, **kwargs)
            except PermissionDenied:
                return self.refuse(request)

        wrapped: Callable[..., HttpResponseBase] = super().admin_view(
            as_service, cacheable
        )
        return wrapped
