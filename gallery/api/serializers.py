"""Pictures as programs see them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gallery.models import Image
from pingvas.recipe.settings import ADVANCED_PARAMS, MODEL, SEED, SETTINGS

# The record and its notes differ from model to model; the rest is always there.
_METADATA = {
    "type": "object",
    "nullable": True,
    "description": "What made the picture: every parameter and the seed that ran.",
    "properties": {
        **{
            one.name: {"type": one.kind, "nullable": one.optional}
            for one in (MODEL, *SETTINGS.values(), SEED)
        },
        ADVANCED_PARAMS: {"type": "object", "additionalProperties": True},
        "record": {"type": "object", "additionalProperties": True},
        "notes": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": True},
        },
    },
    "additionalProperties": True,
}


class ImageSerializer(serializers.ModelSerializer[Image]):
    """Where the bytes lie is nobody's business: links go through the API."""

    job_id = serializers.UUIDField(allow_null=True, read_only=True)
    metadata = serializers.SerializerMethodField()
    download_url = serializers.SerializerMethodField()

    class Meta:
        model = Image
        fields = (
            "id",
            "job_id",
            "origin",
            "width",
            "height",
            "file_size",
            "format",
            "sha256",
            "is_public",
            "view_count",
            "metadata",
            "thumbnail_url",
            "download_url",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field(_METADATA)
    def get_metadata(self, image: Image) -> dict[str, Any] | None:
        return image.metadata

    def get_download_url(self, image: Image) -> str:
        return _download_path(image.id)


def _download_path(image_id: UUID) -> str:
    return reverse("gallery-api:download", args=[image_id])
