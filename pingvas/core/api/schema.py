"""What every operation of the OpenAPI document has in common: how it refuses.

A view documents what is its own, with the stable codes in the description:

    @extend_schema(responses={201: JobSerializer} | errors(QueueFull, ModelNotFound))

What any request may meet (no sign-in, bad values, limits, a part that is away) is added
to every operation by `document_errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.utils import OpenApiResponse

from pingvas.core.errors import PingvasError

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "description": "`code` is stable; further keys carry figures to act on.",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {
                    "type": "string",
                    "description": "For a person, in the language of Accept-Language.",
                },
                "fields": {
                    "type": "object",
                    "description": "What is wrong, by the field's name.",
                    "additionalProperties": {
                        "type": "array",
                        "items": {"type": "string"},
                    },
                },
            },
            "additionalProperties": True,
        }
    },
}
REFERENCE = {"$ref": "#/components/schemas/Error"}
UNSAFE = {"post", "put", "patch", "delete"}


def errors(*kinds: type[PingvasError]) -> dict[int, OpenApiResponse]:
    """Responses for `extend_schema`, one for each status among `kinds`."""
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        codes.setdefault(kind.status, []).append(f"`{kind.code}`")
    return {
        status: OpenApiResponse(REFERENCE, ", ".join(names))
        for status, names in codes.items()
    }


def document_errors(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add to each operation the refusals that any request may meet."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    for path, item in result["paths"].items():
        for method, operation in item.items():
            for status, words in _refusals(path, method, operation):
                _add(operation["responses"], status, words)
    return result


def _add(responses: dict[str, Any], status: str, words: str) -> None:
    if status in responses:
        responses[status]["description"] += f", {words}"
    else:
        content = {"application/json": {"schema": REFERENCE}}
        responses[status] = {"description": words, "content": content}


def _refusals(
    path: str, method: str, operation: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    # An open operation has no security, or none as one of its choices.
    closed = {} not in operation.get("security", [{}])
    if "requestBody" in operation or operation.get("parameters"):
        yield "400", "`invalid_request`: `fields` says what is wrong."
    if closed:
        yield "401", "`not_signed_in`, `token_invalid`, `token_expired`"
    if closed and method in UNSAFE:
        yield "403", "`not_allowed`, also for a session without its CSRF token"
    if "{" in path:
        yield "404", "`not_found`, also for what belongs to somebody else"
    if "requestBody" in operation:
        yield "400", "`ambiguous_length`"
        yield "408", "`request_too_slow`"
        yield "413", "`request_too_large`"
        kinds = " or ".join(operation["requestBody"]["content"])
        yield "415", f"`unsupported_media_type`: bodies are {kinds}."
    yield "406", "`not_acceptable`: answers are JSON."
    yield "429", "`too_many_requests`, `too_many_connections`: see Retry-After."
    yield "503", "`service_unavailable`, `too_busy`: nothing was changed."
