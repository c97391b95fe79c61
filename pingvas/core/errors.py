"""The one family of errors that reaches people and programs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class PingvasError(Exception):
    """A refusal with a stable `code`, an HTTP `status` and words for a person.

    `fields` maps a field of the request to what is wrong with it; `data` carries
    figures that a client can act on (for example how many credits are missing). What
    the request wrote is rolled back, unless the class says `keeps_writes`.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    message: ClassVar[str | Promise] = _("This request cannot be carried out.")
    keeps_writes: ClassVar[bool] = False

    def __init__(
        self,
        message: str | Promise | None = None,
        *,
        fields: dict[str, list[str]] | None = None,
        **data: Any,
    ) -> None:
        self.words = message or self.message
        self.fields = fields
        self.data = data
        super().__init__(str(self.words))

    @property
    def headers(self) -> dict[str, str]:
        """What every answer that carries this error says besides, page or JSON."""
        after = self.data.get("retry_after")
        return {} if after is None else {"Retry-After": str(after)}

    def add_headers(self, response: HttpResponseBase) -> None:
        for name, value in self.headers.items():
            response[name] = value

    def as_dict(self) -> dict[str, Any]:
        """The body of every error answer: `{"error": {"code", "message", ...}}`."""
        body: dict[str, Any] = {"code": self.code, "message": str(self.words)}
        if self.fields:
            body["fields"] = self.fields
        return {"error": body | self.data}


class InvalidRequest(PingvasError):
    code = "invalid_request"
    message = _("Some values are missing or not valid.")


class InvalidBody(PingvasError):
    code = "parse_error"
    message = _("The body of this request is not a JSON object.")


class NotSignedIn(PingvasError):
    code = "not_signed_in"
    status = 401
    message = _("Sign in first.")


class NotAllowed(PingvasError):
    code = "not_allowed"
    status = 403
    message = _("You are not allowed to do this.")


class NotFound(PingvasError):
    code = "not_found"
    status = 404
    message = _("There is nothing here.")


class RequestTooLarge(PingvasError):
    code = "request_too_large"
    status = 413
    message = _("This request is too large.")


class RequestTooSlow(PingvasError):
    code = "request_too_slow"
    status = 408
    message = _("This request came too slowly. Check the connection and try again.")


class AmbiguousLength(PingvasError):
    """Both Content-Length and Transfer-Encoding: two readings of one request."""

    code = "ambiguous_length"
    message = _("This request says twice, and differently, how long it is.")


class TooManyRequests(PingvasError):
    code = "too_many_requests"
    status = 429
    message = _("That was too fast. Try again in a moment.")


class TooManyConnections(TooManyRequests):
    code = "too_many_connections"
    message = _("Too many requests at once from here. Try again in a moment.")


class ServiceUnavailable(PingvasError):
    code = "service_unavailable"
    status = 503
    message = _("A part of the service is away. Nothing was changed; try again soon.")


class TooBusy(ServiceUnavailable):
    """No room for the bytes of this request or of its answer."""

    RETRY_SECONDS: ClassVar[int] = 10

    code = "too_busy"
    message = _("Too much is being sent at the moment. Try again in a while.")


class ServerError(PingvasError):
    code = "server_error"
    status = 500
    message = _("Something went wrong on our side. Nothing was changed.")
