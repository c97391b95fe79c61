"""What every page of the studio has in common."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponseBase
from django.views.generic import TemplateView

THEMES = ("light", "dark")
_POLICY = {
    "default-src": "'self'",
    "img-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


class Page(TemplateView):
    """A page that runs scripts and styles from our own files alone.

    `words()` are the sentences that its scripts say, by name, in the page's language.
    """

    def words(self) -> dict[str, str]:
        return {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        theme = self.request.COOKIES.get("theme", "")
        return super().get_context_data(
            theme=theme if theme in THEMES else "", words=self.words(), **kwargs
        )

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        response["Content-Security-Policy"] = content_policy()
        # The page says who is signed in: a shared cache must not keep it.
        response.setdefault("Cache-Control", "private, no-cache")
        return response


class SignedInPage(LoginRequiredMixin, Page):
    """A page of the studio itself; others are led to the sign-in page."""


def content_policy() -> str:
    policy = dict(_POLICY)
    if settings.STORAGE_BACKEND == "s3":
        # Full pictures come from the object store, by a signed link.
        policy["img-src"] += " https:"
    return "; ".join(f"{name} {value}" for name, value in policy.items())
