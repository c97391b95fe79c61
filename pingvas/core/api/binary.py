"""Views that answer bytes."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView


class BinaryView(APIView):
    """Answers bytes whatever the client says it accepts; refusals stay JSON."""

    def perform_content_negotiation(
        self,
        request: Request,
        force: bool = True,
    ) -> Any:
        # The framework names the parameter, and passes it as it likes.
        return super().perform_content_negotiation(request, force=True)
