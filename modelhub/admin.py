"""Models in the staff console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, Q
from django.forms import TypedChoiceField
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.tiers import PAID_TIERS
from modelhub.models import AIModel
from pingvas.core.staff_admin import (
    ChangedFieldsAdmin,
    ChoicesFilter,
    choice,
    file_weight,
)


@admin.register(AIModel)
class AIModelAdmin(ChangedFieldsAdmin[AIModel]):
    """A model is registered with its weights, and withdrawn rather than deleted.

    Pictures name the model that made them.
    """

    list_display = (
        "name",
        "kind",
        "base",
        "from_tier",
        "is_official",
        "is_active",
        "weight",
    )
    list_filter = (
        ("type", ChoicesFilter),
        ("base_model", ChoicesFilter),
        "is_official",
        "is_active",
    )
    kind = choice("type", _("type"))
    base = choice("base_model", _("base model"))
    weight = file_weight("file_size", _("file size"))
    ordering = ("name",)
    fields = (
        "name",
        "description",
        "tags",
        "min_tier",
        "is_official",
        "is_active",
        "kind",
        "base",
        "native_side",
        "weight",
        "sha256_hash",
        "s3_bucket",
        "s3_key",
        "uploaded_by_user",
        "download_count",
        "created_at",
        "updated_at",
    )
    readonly_fields = ("name", *fields[6:])

    @admin.display(description=_("min tier"))
    def from_tier(self, model: AIModel) -> str:
        return (model.min_tier or "").capitalize() or gettext("All tiers")

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """The tier is picked: a misspelt one would close the model to everybody."""
        if db_field.name != "min_tier":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return TypedChoiceField(
            label=capfirst(db_field.verbose_name),
            choices=[("", _("All tiers")), *((one, one.label) for one in PAID_TIERS)],
            required=False,
            empty_value=None,
            widget=UnfoldAdminSelectWidget,
        )

    def matches(self, term: str) -> Q:
        return Q(name__icontains=term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False
