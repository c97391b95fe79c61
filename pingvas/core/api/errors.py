"""One shape for every error that the API answers."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from pingvas.core.errors import (
    InvalidRequest,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PingvasError,
    ServiceUnavailable,
    TooManyRequests,
)

log = logging.getLogger(__name__)


class _Framework(PingvasError):
    """An error of the framework's own that has no class of ours."""


def _fields(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Flatten DRF's nested detail: `{"a": {"b": ["x"]}}` becomes `{"a.b": ["x"]}`."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
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
        return TooManyRequests(retry_after=getattr(error, "wait", None))
    if isinstance(error, OperationalError | InterfaceError):
        log.error("database unavailable", exc_info=error)
        return ServiceUnavailable()
    for kinds, ours in (
        ((exceptions.NotAuthenticated, exceptions.AuthenticationFailed), NotSignedIn),
        ((exceptions.PermissionDenied, PermissionDenied), NotAllowed),
        ((exceptions.NotFound, Http404), NotFound),
    ):
        if isinstance(error, kinds):
            return ours()
    return None


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER; None leaves an unknown error to become a logged 500."""
    if transaction.get_connection().in_atomic_block:
        # DRF answers before any middleware sees the error: without this the view's
        # earlier writes would be committed.
        transaction.set_rollback(True)
    ours = _translate(error)
    if ours is not None:
        return _answer(ours)
    response = exception_handler(error, context)
    if response is not None and isinstance(error, exceptions.APIException):
        framework = _Framework(str(error.detail)).as_dict()
        framework["error"]["code"] = error.default_code
        response.data = framework
    return response


def _answer(error: PingvasError) -> Response:
    response = Response(error.as_dict(), status=error.status)
    if error.data.get("retry_after") is not None:
        response["Retry-After"] = str(error.data["retry_after"])
    return response
