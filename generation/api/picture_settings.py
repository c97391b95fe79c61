"""The settings in a picture file over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import UserRequest
from gallery.picture_files.errors import (
    NoPictureSettings,
    PictureDamaged,
    PictureOfOtherVersion,
    PictureTooLarge,
    PictureUnreadable,
)
from generation.picture_settings import read_picture_settings
from pingvas.core.api.parsers import OneFileParser
from pingvas.core.api.schema import errors


class PictureFileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(
        allow_empty_file=True,
        help_text="a PNG, JPEG or WebP of at most 20 MB; its pixels are not looked at",
    )


class SaidSettingsSerializer(serializers.Serializer[Any]):
    """Fields of a submission, as `POST /api/v1/jobs` takes them and within its bounds.

    What the picture does not say is not there.
    """

    model = serializers.CharField(required=False)
    prompt = serializers.CharField(required=False)
    negative_prompt = serializers.CharField(required=False)
    width = serializers.IntegerField(required=False)
    height = serializers.IntegerField(required=False)
    steps = serializers.IntegerField(required=False)
    cfg_scale = serializers.FloatField(required=False, allow_null=True)
    sampler = serializers.CharField(required=False)
    seeds = serializers.ListField(child=serializers.IntegerField(), required=False)

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        # What may be null would be null where it is not said.
        found = super().to_representation(instance)
        return {name: value for name, value in found.items() if name in instance}


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


class PictureSettingsView(APIView):
    parser_classes = (OneFileParser,)

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
                PictureTooLarge,
                NoPictureSettings,
            ),
        },
    )
    def post(self, request: UserRequest) -> Response:
        """What made a picture, out of its file; nothing of it is kept."""
        given = PictureFileSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        found = read_picture_settings(given.validated_data["file"])
        return Response(PictureSettingsSerializer(found).data)
