"""The gallery's pages. The bytes of pictures come over the API."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from gallery.selectors import access_image, gallery_of
from pingvas.core.api.pagination import KeyPagination
from pingvas.core.pages import GrowingPage, SignedInPage
from pingvas.recipe.samplers import SAMPLER_LABELS
from pingvas.recipe.settings import PROMPTS, SETTINGS, SIDES

PICTURES = 30
# About as many as a first look shows: the others load as they come near.
EAGER_PICTURES = 12
SHOWN_ELSEWHERE = (*PROMPTS, *SIDES)


class GalleryPage(GrowingPage):
    """One's own pictures, newest first, page by key as one scrolls."""

    template_name = "gallery/gallery.html"
    part_name = "gallery/tiles.html"
    script = "gallery/gallery.js"

    def words(self) -> dict[str, str]:
        own = {"deleted": _("Picture deleted."), "undo": _("Undo")}
        return super().words() | own

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast(User, self.request.user)
        pages = KeyPagination()
        after = self.request.GET.get("after")
        images = pages.page(gallery_of(user), after=after, limit=PICTURES)
        return super().get_context_data(
            images=images,
            next=pages.next,
            eager=0 if self.is_part else EAGER_PICTURES,
            **kwargs,
        )


class ImagePage(SignedInPage):
    """One picture and everything that made it."""

    template_name = "gallery/image.html"
    script = "gallery/image.js"

    def words(self) -> dict[str, str]:
        return {
            "unreachable": _("No connection. Try again."),
            "unknown_error": _("Something went wrong. Try again."),
            "waiting": _("Waiting"),
            "loading": _("Loading the model"),
            "denoising": _("Drawing"),
            "decoding": _("Decoding"),
            "encoding": _("Encoding"),
            "uploading": _("Storing"),
            "free": _("free"),
            "milliseconds": _("{count} s"),
            "credits": _("{count} credits"),
            "credits.one": _("{count} credit"),
            "held": _("Held"),
            "charged": _("Charged"),
            "released": _("Given back"),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast(User, self.request.user)
        image = access_image(user, UUID(str(self.kwargs["image_id"])))
        return super().get_context_data(
            image=image, facts=_facts(image.metadata or {}), **kwargs
        )


def _facts(metadata: dict[str, Any]) -> list[tuple[str, Any]]:
    """Label and value of the settings that a line can say."""
    return [
        (one.label, _shown(one.name, metadata.get(one.name)))
        for one in SETTINGS.values()
        if one.name not in SHOWN_ELSEWHERE
    ]


def _shown(name: str, value: Any) -> Any:
    return SAMPLER_LABELS.get(value, value) if name == "sampler" else value
