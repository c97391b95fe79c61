"""One shape for every error that the API answers, whoever raised it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, ClassVar

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
)
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from pingvas.core.db.unit_of_work import roll_back_unit_of_work
from pingvas.core.errors import (
    InvalidBody,
    InvalidRequest,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PingvasError,
    RequestTooLarge,
    ServerError,
    ServiceUnavailable,
    TooManyRequests,
)

log = logging.getLogger(__name__)

# Programs call these; people never see what they answer.
API_PATHS = ("/api/", "/webhooks/")
DATABASE_AWAY = (OperationalError, InterfaceError)


def _fields(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Flatten nested detail: `{"a": [{"b": ["x"]}]}` becomes `{"a.0.b": ["x"]}`."""
    if isinstance(detail, list) and any(isinstance(item, dict) for item in detail):
        detail = dict(enumerate(detail))
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            if value:
                found |= _fields(value, f"{path}.{key}" if path else str(key))
        return found
    words = detail if isinstance(detail, list) else [detail]
    return {path or "request": [str(word) for word in words]}


def _translate(error: Exception) -> PingvasError | None:
    """Our error for one that Django, DRF or the database driver raised."""
    if isinstance(error, PingvasError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return InvalidRequest(fields=_fields(error.detail))
    if isinstance(error, exceptions.Throttled):
        return TooManyRequests(retry_after=math.ceil(getattr(error, "wait", None) or 1))
    if isinstance(error, DATABASE_AWAY):
        log.error("database unavailable", exc_info=error)
        return ServiceUnavailable()
    for kinds, ours in (
        ((exceptions.NotAuthenticated, exceptions.AuthenticationFailed), NotSignedIn),
        ((exceptions.PermissionDenied, PermissionDenied), NotAllowed),
        ((exceptions.ParseError,), InvalidBody),
        ((exceptions.NotFound, Http404), NotFound),
        ((RequestDataTooBig,), RequestTooLarge),
        ((SuspiciousOperation,), InvalidRequest),
    ):
        if isinstance(error, kinds):
            return ours()
    return None


def _headers(ours: PingvasError, error: Exception) -> dict[str, str]:
    headers = ours.headers
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return headers


def _framework_answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's own 405, 406, 415 and the like, in our shape and with their headers."""
    response = exception_handler(error, context)
    if response is not None and isinstance(error, exceptions.APIException):
        body = {"code": error.default_code, "message": str(error.detail)}
        response.data = {"error": body}
    return response


def _unknown_answer(error: Exception, context: dict[str, Any]) -> Response:
    """A 500 that Django's test client and error reporters still learn about."""
    request = context["request"]._request
    got_request_exception.send(sender=answer_error, request=request)
    log.error("unhandled error at %s", request.path, exc_info=error)
    return Response(ServerError().as_dict(), status=ServerError.status)


def answer_error(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER. Nothing that the view wrote is kept, save by errors
    whose class says `keeps_writes`."""
    keeps = isinstance(error, PingvasError) and error.keeps_writes
    if not keeps:
        # DRF answers before any middleware sees the error: without this the view's
        # earlier writes would be committed.
        roll_back_unit_of_work()
    ours = _translate(error)
    if ours is None:
        return _framework_answer(error, context) or _unknown_answer(error, context)
    return Response(ours.as_dict(), status=ours.status, headers=_headers(ours, error))


class ApiErrorsMiddleware:
    """Gives the shape to what Django itself answers under the API's paths.

    An unknown path, a forbidden host or an error in a middleware becomes an HTML page
    otherwise. Stands above every middleware that may fail.
    """

    KINDS: ClassVar[dict[int, type[PingvasError]]] = {
        400: InvalidRequest,
        403: NotAllowed,
        404: NotFound,
        503: ServiceUnavailable,
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if (
            response.status_code >= 400
            and is_page
            and isinstance(response, HttpResponse)
            and request.path.startswith(API_PATHS)
        ):
            self._reshape(response)
        return response

    def _reshape(self, response: HttpResponse) -> None:
        """Change the body alone: headers and cookies of other middlewares stay."""
        status = response.status_code
        error = self.KINDS.get(status, ServerError if status >= 500 else PingvasError)
        response.content = JsonResponse(error().as_dict()).content
        response["Content-Type"] = "application/json"
        response["Content-Length"] = str(len(response.content))
