"""Lists page by key: `?after=<cursor>&limit=`, never by OFFSET.

It is the default of every `ListAPIView`, newest first by `(created_at, id)`. A list
with another order subclasses `KeyPagination` and names it: `order = ("-sequence",)`.
Views that are not generic call `paginate_queryset(queryset, request)` and
`get_paginated_response(data)` themselves. The answer is `{"results": [...], "next":
cursor | null}`; the cursor of the last row comes back as `?after=`. A cursor or limit
that is none raises InvalidRequest. Rows of another user never appear by a made-up
cursor: it only says where in the view's own queryset to go on.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from pingvas.core.errors import InvalidRequest

LONGEST_CURSOR = 400
# What reading anything else than a cursor ends in.
_NO_CURSOR = (
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
    binascii.Error,
    ValidationError,
)


class KeyPagination(BasePagination):
    """`order` names one or two columns that together are unique, all one way."""

    order: ClassVar[tuple[str, ...]] = ("-created_at", "-id")
    default_limit: ClassVar[int] = 20
    largest_limit: ClassVar[int] = 100

    def __init__(self) -> None:
        self.next: str | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any]:
        """The rows of the page asked for; `queryset` is any QuerySet of a model."""
        asked = request.query_params
        limit = self._limit(asked.get("limit"))
        return self.page(queryset, after=asked.get("after"), limit=limit)

    def page(self, queryset: Any, *, after: str | None, limit: int) -> list[Any]:
        """The rows beyond the cursor `after`, the first ones for None; sets `next`."""
        if after is not None:
            queryset = queryset.filter(self._beyond(queryset.model, after))
        # One row more than asked for tells whether there is a next page.
        rows = list(queryset.order_by(*self.order)[: limit + 1])
        if len(rows) > limit:
            rows = rows[:limit]
            self.next = self._cursor(rows[-1])
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next})

    def _limit(self, asked: str | None) -> int:
        if asked is None:
            return self.default_limit
        if asked.isascii() and asked.isdigit() and len(asked) < 5:
            limit = int(asked)
            if 1 <= limit <= self.largest_limit:
                return limit
        words = _("A whole number from 1 to %(most)d.") % {"most": self.largest_limit}
        raise InvalidRequest(fields={"limit": [words]})

    def _columns(self) -> list[str]:
        return [name.removeprefix("-") for name in self.order]

    def _cursor(self, row: Model) -> str:
        values = [getattr(row, name) for name in self._columns()]
        text = json.dumps([v if isinstance(v, int) else str(v) for v in values])
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _beyond(self, model: type[Model], cursor: str) -> Q:
        values = _values(model, self._columns(), cursor)
        side = "lt" if self.order[0].startswith("-") else "gt"
        first, *rest = zip(self._columns(), values, strict=True)
        if not rest:
            return Q((f"{first[0]}__{side}", first[1]))
        # The first condition alone bounds the index scan; the second settles ties.
        return Q((f"{first[0]}__{side}e", first[1])) & (
            Q((f"{first[0]}__{side}", first[1]))
            | Q((f"{rest[0][0]}__{side}", rest[0][1]))
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "after",
                "in": "query",
                "required": False,
                "description": "The `next` of the page before.",
                "schema": {"type": "string", "maxLength": LONGEST_CURSOR},
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "The most rows to answer.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": self.largest_limit,
                    "default": self.default_limit,
                },
            },
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {
                    "type": "string",
                    "nullable": True,
                    "description": "Where the next page begins; null on the last.",
                },
            },
        }


def _values(model: type[Model], columns: Sequence[str], cursor: str) -> list[Any]:
    """The columns' values that `cursor` carries; InvalidRequest where it is none."""
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(urlsafe_b64decode(padded.encode("ascii")))
        if not isinstance(values, list) or len(values) != len(columns):
            raise ValueError
        return [
            _value(model, name, value)
            for name, value in zip(columns, values, strict=True)
        ]
    except _NO_CURSOR:
        words = _("This is no cursor of this list.")
        raise InvalidRequest(fields={"after": [words]}) from None


def _value(model: type[Model], name: str, value: Any) -> Any:
    """What PostgreSQL can be asked for; else one of _NO_CURSOR."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError
    field: Any = model._meta.get_field(name)
    found = field.to_python(value)
    if isinstance(found, datetime) and found.tzinfo:
        # The ends of the calendar have no time in UTC: that is an OverflowError.
        return found.astimezone(UTC)
    # Halves of characters do not encode.
    if isinstance(found, str) and b"\0" not in found.encode():
        return found
    if isinstance(found, int | UUID):
        return found
    raise ValueError
