"""Pictures in the staff console: what is known of them, not the pictures themselves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from gallery.models import Image
from gallery.services import delete_image
from pingvas.core.staff_admin import (
    ChoicesFilter,
    ReadOnlyAdmin,
    choice,
    file_weight,
    moment,
)


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin[Image]):
    """People's pictures are private: staff remove one that was reported, unseen."""

    list_display = ("when", "user", "size", "weight", "kind", "came", "is_public")
    list_filter = (
        ("origin", ChoicesFilter),
        ("format", ChoicesFilter),
        "is_public",
        "created_at",
    )
    list_select_related = ("user",)
    ordering = ("-created_at",)
    search_ids = ("id", "user_id", "job_id")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("created_at", "user", "job", "size", "weight", "kind", "came"),
                    *("is_public", "view_count"),
                )
            },
        ),
        (
            _("Record"),
            {
                "classes": ["tab"],
                "fields": (
                    *("id", "s3_bucket", "s3_key", "thumbnail_url"),
                    *("sha256", "metadata"),
                ),
            },
        ),
    )
    readonly_fields = ("size", "weight", "kind", "came")
    when = moment("created_at")
    weight = file_weight("file_size", _("File"))
    kind = choice("format", _("format"))
    came = choice("origin", _("origin"))

    @admin.display(description=_("Size"))
    def size(self, image: Image) -> str:
        return f"{image.width}×{image.height}"

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        user: Any = request.user
        return bool(user.has_perm("gallery.delete_image"))

    def delete_model(self, request: HttpRequest, obj: Image) -> None:
        delete_image(user_id=obj.user_id, image_id=obj.id)
