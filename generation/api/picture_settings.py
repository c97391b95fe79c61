"""The settings in a picture file over HTTP."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.authentication import UserRequest
from gallery.picture_files.errors import (
    NoPictureSettings,
    PictureDamaged,
    PictureOfOtherVersion,
    PictureUnreadable,
)
from generation.api.recipes import AdvancedParamsField
from generation.picture_settings import SEEDS, read_picture_settings
from pingvas.core.api.schema import errors
from pingvas.core.db.unit_of_work import end_unit_of_work
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.core.form_files import FileTooLarge, OneFileView
from pingvas.recipe.settings import ADVANCED_PARAMS, MODEL, SETTINGS, Setting


class PictureFileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(
        allow_empty_file=True,
        help_text="a PNG, JPEG or WebP of at most 20 MB; its pixels are not looked at",
    )


class SaidSettingsSerializer(serializers.Serializer[Any]):
    """Fields of a submission, as `POST /api/v1/jobs` takes them and within its bounds.

    What the picture does not say is not there.
    """

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        numbers = serializers.ListField(
            child=serializers.IntegerField(), required=False
        )
        return {
            **{one.name: _field(one) for one in (MODEL, *SETTINGS.values())},
            SEEDS: numbers,
            ADVANCED_PARAMS: AdvancedParamsField(required=False),
        }

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        # What may be null would be null where it is not said.
        found = super().to_representation(instance)
        return {name: value for name, value in found.items() if name in instance}


def _field(setting: Setting) -> serializers.Field[Any, Any, Any, Any]:
    rest: Any = {"required": False, "allow_null": setting.optional}
    if setting.kind == "string":
        return serializers.CharField(**rest)
    if setting.kind == "integer":
        return serializers.IntegerField(**rest)
    return serializers.FloatField(**rest)


class PictureSettingsSerializer(serializers.Serializer[Any]):
    dialect = serializers.ChoiceField(
        choices=["pingvas", "a1111"], help_text="whose record was read"
    )
    settings = SaidSettingsSerializer()
    left_out = serializers.ListField(
        child=serializers.CharField(),
        help_text="names of what is not understood, or out of a request's bounds: ours "
        "where there is one, else as the file spells them",
    )


class PictureSettingsView(OneFileView):
    largest_file = LARGEST_PICTURE

    @extend_schema(
        operation_id="read_picture_settings",
        tags=["images"],
        request={"multipart/form-data": PictureFileSerializer},
        responses={
            200: PictureSettingsSerializer,
            **errors(
                PictureUnreadable,
                PictureDamaged,
                PictureOfOtherVersion,
                FileTooLarge,
                NoPictureSettings,
            ),
        },
    )
    def post(self, request: UserRequest) -> Response:
        """What made a picture, out of its file; nothing of it is kept."""
        content = self.read_file(request)
        # Nothing is asked of the database, which needs not wait for the reading.
        end_unit_of_work()
        found = read_picture_settings(BytesIO(content))
        return Response(PictureSettingsSerializer(found).data)
