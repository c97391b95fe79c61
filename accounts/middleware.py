"""What comes before the views."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils import translation

from accounts.limits import count_api_request, count_picture_request
from pingvas.core.api.client import client_address
from pingvas.core.api.errors import API_PATHS
from pingvas.core.error_pages import refusal_page
from pingvas.core.errors import TooManyRequests

PICTURES = ("/preview", "/thumbnail", "/images/file")
READING = {"GET", "HEAD", "OPTIONS", "TRACE"}


class RequestLimitMiddleware:
    """Counts an address's requests before any of them costs a transaction.

    Those of the API, and what pages send: forms to sign in or up, the console's. Pages
    that are only read are not counted. Pictures count apart: whoever watches eight of
    them form asks for many, and must still be able to stop them.

    A DRF throttle would come after the sign-in check, and so would not count what that
    refuses.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_program = request.path.startswith(API_PATHS)
        if is_program or request.method not in READING:
            is_picture = is_program and request.path.endswith(PICTURES)
            count = count_picture_request if is_picture else count_api_request
            try:
                count(client_address(request))
            except TooManyRequests as error:
                refuse = _refusal if is_program else refusal_page
                return refuse(request, error)
        return self.get_response(request)


def _refusal(request: HttpRequest, error: TooManyRequests) -> JsonResponse:
    # The middleware that chooses the language comes later.
    with translation.override(translation.get_language_from_request(request)):
        body = error.as_dict()
    return JsonResponse(body, status=error.status, headers=error.headers)
