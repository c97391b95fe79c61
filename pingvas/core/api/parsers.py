"""How request bodies are read."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, JSONParser

from pingvas.core.errors import InvalidForm, RequestTooLarge
from pingvas.core.uploads import KeepOneFile


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


class OneFileParser(BaseParser):
    """A form with one file, which is kept in memory.

    How large all of it may be is said before a thread is taken, by its path
    (`pingvas.core.serving.bodies`).
    """

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles[Any, Any]:
        meta = (parser_context or {})["request"].META
        try:
            form = MultiPartParser(meta, stream, [KeepOneFile()], "utf-8")
            data, files = form.parse()
        except MultiPartParserError as error:
            raise InvalidForm from error
        return DataAndFiles(data, files)
