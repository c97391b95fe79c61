"""Models over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import (
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from accounts.authentication import UserRequest
from accounts.tiers import tier_covers
from modelhub.models import AIModel
from modelhub.selectors import models_for
from pingvas.core.api.pagination import KeyPagination


class ModelSerializer(serializers.ModelSerializer[AIModel]):
    usable = serializers.SerializerMethodField(
        help_text="whether your plan covers the model"
    )

    native_side = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        help_text="side in pixels of the pictures that the model was trained on; "
        "null when unknown",
    )

    class Meta:
        model = AIModel
        fields = (
            "id",
            "name",
            "base_model",
            "native_side",
            "description",
            "min_tier",
            "is_official",
            "usable",
        )
        read_only_fields = fields

    @extend_schema_field(bool)
    def get_usable(self, model: AIModel) -> bool:
        return tier_covers(self.context["request"].user.tier, model.min_tier)


class NamePagination(KeyPagination):
    order = ("name", "id")


@extend_schema_view(
    get=extend_schema(
        description="Models to make pictures with, also those above your plan."
    )
)
class ModelsView(ListAPIView[AIModel]):
    request: UserRequest
    serializer_class = ModelSerializer
    pagination_class = NamePagination

    def get_queryset(self) -> Any:
        return models_for(self.request.user)
