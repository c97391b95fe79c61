"""What every page of the studio has in common."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.generic import TemplateView
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from pingvas.core.static_files import modules_of

THEMES = ("light", "dark")


class Page(TemplateView):
    """A page with scripts and styles from our own files (`pingvas.core.headers`).

    `script` is the module that it runs. `words()` are the sentences that its scripts
    say, by name, in the page's language.
    """

    script = ""

    def words(self) -> dict[str, str]:
        return {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            theme=theme_of(self.request),
            words=self.words(),
            script=self.script,
            modules=modules_of(self.script) if self.script else (),
            **kwargs,
        )


class SignedInPage(LoginRequiredMixin, Page):
    """A page of the studio itself; others are led to the sign-in page."""


class GrowingPage(SignedInPage):
    """A page with a list that htmx makes longer, by asking for the same address again.

    It gets the template `part_name` alone, the next rows; without one the whole page,
    to take the rows out of it.
    """

    part_name = ""

    def words(self) -> dict[str, str]:
        return {
            "unreachable": _("No connection. Try again."),
            "unknown_error": _("Something went wrong. Try again."),
        }

    @property
    def is_part(self) -> bool:
        return bool(HtmxDetails(self.request))

    def get_template_names(self) -> list[str]:
        if self.is_part and self.part_name:
            return [self.part_name]
        return super().get_template_names()

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        # One address, two answers: a browser must not show the part as the page.
        patch_vary_headers(response, ["HX-Request"])
        return response

    def handle_no_permission(self) -> HttpResponseBase:  # type: ignore[override]
        """Whoever was signed out meanwhile: the whole page moves, not its list."""
        if not self.is_part:
            return super().handle_no_permission()
        page = HtmxDetails(self.request).current_url_abs_path or self.request.path
        return HttpResponseClientRedirect(redirect_to_login(page).url)


def theme_of(request: HttpRequest) -> str:
    """The theme chosen by hand; empty where the page follows the system."""
    theme = request.COOKIES.get("theme", "")
    return theme if theme in THEMES else ""
