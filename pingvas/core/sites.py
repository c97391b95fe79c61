"""The staff console's site."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite, autodiscover, site
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.paginator import Paginator
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from pingvas.core.db.actor import SERVICE, become
from pingvas.core.staff_words import name_for_staff

THEME_SECONDS = 3600
# More than there are models.
MOST_FOUND = 100


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

    # Hooks of the package's.

    def extra_urls(self) -> list[URLPattern]:
        return [path("theme.css", self.theme, name="theme")]

    def extra_context(
        self, context: dict[str, Any], request: HttpRequest
    ) -> dict[str, Any]:
        # The package would write them into every page: a style that no policy allows
        # unless it allows everybody's.
        return context | {"colors": {}}

    def theme(self, request: HttpRequest) -> HttpResponse:
        """The console's colours as a file; the sign-in page has them too."""
        context = {
            "colors": self._get_colors("COLORS", request),
            "border_radius": self._get_config("BORDER_RADIUS", request),
        }
        css = render_to_string("staff/theme.css", context)
        headers = {"Cache-Control": f"public, max-age={THEME_SECONDS}"}
        return HttpResponse(css, content_type="text/css", headers=headers)

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Apps and models by name. The package's keeps what it found in the cache, and
        fails at pages that are no numbers."""
        term = request.GET.get("s", "").strip().lower()
        if not term:
            return HttpResponse()
        started = time.monotonic()
        apps = AdminSite.get_app_list(self, request)
        found = Paginator(self._search_apps(apps, term), MOST_FOUND)
        is_command = "extended" in request.GET
        name = "command_results" if is_command else "search_results"
        context = {
            "page_obj": found,
            "results": found.page(1),
            "page_counter": 0,
            "execution_time": time.monotonic() - started,
        }
        template = f"unfold/helpers/{name}.html"
        headers = {"HX-Trigger": "search"}
        return TemplateResponse(request, template, context, headers=headers)

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
            except (OverflowError, DataError) as error:
                # A filter by what no column can hold.
                raise SuspiciousOperation("an impossible value in the query") from error

        wrapped: Callable[..., HttpResponseBase] = super().admin_view(
            as_service, cacheable
        )
        return wrapped
