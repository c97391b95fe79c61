"""Models in the staff console."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest

from modelhub.models import AIModel
from pingvas.core.staff_admin import ChangedFieldsAdmin


@admin.register(AIModel)
class AIModelAdmin(ChangedFieldsAdmin[AIModel]):
    """A model is registered with its weights, and withdrawn rather than deleted.

    Pictures name the model that made them.
    """

    list_display = (
        "name",
        "type",
        "base_model",
        "min_tier",
        "is_official",
        "is_active",
        "file_size",
    )
    list_filter = ("type", "base_model", "is_official", "is_active")
    ordering = ("name",)
    fields = (
        "name",
        "description",
        "tags",
        "min_tier",
        "is_official",
        "is_active",
        "type",
        "base_model",
        "native_side",
        "file_size",
        "sha256_hash",
        "s3_bucket",
        "s3_key",
        "uploaded_by_user",
        "download_count",
        "created_at",
        "updated_at",
    )
    readonly_fields = ("name", *fields[6:])

    def matches(self, term: str) -> Q:
        return Q(name__icontains=term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False
