"""How request bodies are read."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from pingvas.core.errors import RequestTooLarge


class BoundedJSONParser(JSONParser):
    """A JSON object of at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes.

    DRF's own reads a body of any size into memory, nesting that is deep enough would be
    a 500, and what is no object would be refused with words in English alone.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        body = stream.read(most + 1)
        if len(body) > most:
            raise RequestTooLarge
        try:
            found = super().parse(BytesIO(body), media_type, parser_context or {})
        except RecursionError:
            raise ParseError from None
        if not isinstance(found, dict):
            raise ParseError
        return found
