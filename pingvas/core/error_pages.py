"""What a person sees instead of a page that cannot be had.

Programs get the same refusals as JSON: `pingvas.core.api.errors`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils import translation

from pingvas.core.api.errors import API_PATHS, DATABASE_AWAY
from pingvas.core.errors import PingvasError, ServerError, ServiceUnavailable
from pingvas.core.pages import theme_of
from pingvas.log import current_request_id


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _bare_page(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was open too long, sent without cookies, or sent by another site."""
    return _page(request, 403, name="csrf")


def server_error(request: HttpRequest) -> HttpResponse:
    """Needs no database, which may be what is away."""
    if isinstance(sys.exception(), DATABASE_AWAY):
        return _bare_page(request, ServiceUnavailable.status)
    return _bare_page(request, ServerError.status)


class ErrorPagesMiddleware:
    """Turns a refusal that a page's view raised into the page of its status.

    Stands above the actor's middleware, which so hears of the error first.
    """

    KNOWN = (403, 404)

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if not isinstance(exception, PingvasError):
            return None
        if request.path.startswith(API_PATHS):
            return None
        page = self._page_of(request, exception)
        exception.add_headers(page)
        return page

    def _page_of(self, request: HttpRequest, error: PingvasError) -> HttpResponse:
        if error.status >= ServerError.status:
            return _bare_page(request, error.status)
        if error.status in self.KNOWN:
            return _page(request, error.status)
        return _page(request, error.status, name="400", reason=error.words)


def _page(
    request: HttpRequest, status: int, name: str = "", reason: object = ""
) -> HttpResponse:
    """With the navigation: whoever is signed in goes on from here."""
    context = {"theme": theme_of(request), "status": status, "reason": reason}
    page = render_to_string(f"errors/{name or status}.html", context, request)
    return HttpResponse(page, status=status)


def refusal_page(request: HttpRequest, error: PingvasError) -> HttpResponse:
    """For a request that is refused before anybody asked who sent it."""
    page = _bare_page(request, error.status, name="400", reason=error.words)
    error.add_headers(page)
    return page


def _bare_page(
    request: HttpRequest, status: int, name: str = "", reason: object = ""
) -> HttpResponse:
    """Without the request's context, so without its user and the database."""
    context = {
        "is_bare": True,
        "theme": theme_of(request),
        "status": status,
        "reason": reason,
        "request_id": "" if reason else current_request_id(),
    }
    # The error may have come before the language was chosen.
    with translation.override(translation.get_language_from_request(request)):
        page = render_to_string(f"errors/{name or status}.html", context)
    return HttpResponse(page, status=status)
