"""The first page, with pictures that the starter model really drew."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from pingvas.core.pages import Page

FOLDER = "pingvas/showcase"


class LandingPage(Page):
    template_name = "landing.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        drawn = _showcase()
        pictures = [
            {**picture, "try": self._try(picture["prompt"])}
            for picture in drawn["pictures"]
        ]
        return super().get_context_data(
            showcase=drawn, pictures=pictures, folder=FOLDER, **kwargs
        )

    def _try(self, prompt: str) -> str:
        """Where a click on a picture leads: its words on Create, after a sign-up."""
        create = f"{reverse('generation:create')}?{urlencode({'prompt': prompt})}"
        if self.request.user.is_authenticated:
            return create
        return f"{reverse('accounts:sign-up')}?{urlencode({'next': create})}"


@cache
def _showcase() -> dict[str, Any]:
    """What `make showcase` wrote beside the pictures."""
    path = settings.BASE_DIR / "pingvas/static" / FOLDER / "pictures.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
