"""Structured logs, each line with the request (or job) that caused it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

HEADER = "X-Request-ID"
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}

NO_REQUEST = "-"
_request_id: ContextVar[str] = ContextVar("pingvas_request_id", default=NO_REQUEST)


def current_request_id() -> str:
    return _request_id.get()


def set_request_id(request_id: str) -> None:
    """For requests and tasks, whose end is a signal of its own."""
    _request_id.set(request_id)


@contextmanager
def request_id_scope(request_id: str) -> Iterator[None]:
    """Give every log line of the block this id; a worker takes the submitter's."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def is_safe_id(given: str) -> bool:
    """Whether a request's id may be taken over from whoever sent it."""
    return _SAFE_ID.fullmatch(given) is not None


class RequestIdMiddleware:
    """Takes a sane `X-Request-ID` over or makes one, and answers with it.

    Tells the line of the log about this request who asked, where that was found out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        request_id = given if is_safe_id(given) else uuid4().hex
        # Kept until the response is sent: Django logs a failed one after this.
        set_request_id(request_id)
        response = self.get_response(request)
        response[HEADER] = request_id
        if scope := request.META.get("asgi.scope"):
            scope["visit"].user_id = _known_user_id(request)
        return response


def _known_user_id(request: HttpRequest) -> str | None:
    """Without asking the database for a user that nobody wanted to know."""
    user = vars(request).get("user")
    if isinstance(user, SimpleLazyObject):
        user = vars(request).get("_cached_user")
    found = getattr(user, "pk", None)
    return str(found) if found else None


def forget_request_id(**kwargs: Any) -> None:
    set_request_id(NO_REQUEST)


request_finished.connect(forget_request_id)


class AddRequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id()
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line; `extra={...}` becomes fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": current_request_id(),
            "message": record.getMessage(),
        }
        extra = {key: value for key, value in vars(record).items() if key not in _OWN}
        line = extra | line
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def logging_config(form: str, level: str) -> dict[str, Any]:
    """Django's LOGGING for `form` json or text."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": AddRequestId}},
        "formatters": {
            "json": {"()": JsonFormatter},
            "text": {
                "format": "%(asctime)s %(levelname)s [%(request_id)s] %(name)s: "
                "%(message)s"
            },
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["request_id"],
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django.server": {"propagate": True, "handlers": []},
            # The server's own lines have our form; those about requests show queries,
            # and with them tokens: `pingvas.access` writes them instead.
            "uvicorn": {"propagate": True, "handlers": []},
            "uvicorn.access": {"propagate": False, "handlers": []},
            # psycopg fixes a level of its own, which would outshout LOG_LEVEL.
            "psycopg": {"level": level},
            # Every connection's comings and goings: for debugging alone.
            "psycopg.pool": {"level": "WARNING" if level == "INFO" else level},
        },
    }
