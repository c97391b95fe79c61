"""Parts that every operation of the OpenAPI document shares."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

_WORDS = {
    400: "The request is not valid; `fields` says where.",
    401: "Not signed in, or the token has expired.",
    402: "Not enough credits.",
    403: "Your plan does not allow this.",
    404: "There is no such thing of yours.",
    409: "This conflicts with what is there.",
    413: "The request is too large.",
    415: "The body must be JSON.",
    429: "Too many requests; see Retry-After.",
    503: "A part of the service is away; nothing was changed.",
}


class ErrorBodySerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="stable, for programs")
    message = serializers.CharField(help_text="for people, in their language")
    fields_ = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), required=False
    )

    def get_fields(self) -> dict[str, Any]:
        # `fields` is a name that serializers keep for themselves.
        found = super().get_fields()
        found["fields"] = found.pop("fields_")
        return found


class ErrorSerializer(serializers.Serializer[Any]):
    error = ErrorBodySerializer()


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """For `responses=`: each status with the one error shape."""
    return {
        status: OpenApiResponse(ErrorSerializer, description=_WORDS[status])
        for status in statuses
    }
