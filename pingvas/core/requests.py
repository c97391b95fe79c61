"""Requests as Django reads them, whatever encoding their headers claim."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.utils.http import parse_header_parameters


class Utf8Request(WSGIRequest):
    """Everything is UTF-8, as browsers and programs send it.

    Python knows encodings that are none of text (`hex`, `zlib`) or that decode nothing
    (`undefined`): named in a header, each would be an error of ours.
    """

    def _set_content_type_params(self, meta: Any) -> None:
        header = meta.get("CONTENT_TYPE", "")
        try:
            self.content_type, self.content_params = parse_header_parameters(header)
        except (LookupError, ValueError):
            self.content_type, self.content_params = "", {}
