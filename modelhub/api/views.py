"""Models over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.requests import signed_in
from accounts.tiers import tier_covers
from modelhub.models import AIModel
from modelhub.selectors import models_for
from pingvas.core.api.documents import errors
from pingvas.core.api.pagination import KeyPagination


class ModelSerializer(serializers.ModelSerializer[AIModel]):
    usable = serializers.SerializerMethodField(
        help_text="whether your plan covers the model"
    )

    class Meta:
        model = AIModel
        fields = (
            "id",
            "name",
            "base_model",
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


class ModelsView(ListAPIView[AIModel]):
    serializer_class = ModelSerializer
    pagination_class = NamePagination

    def get_queryset(self) -> Any:
        return models_for(signed_in(self.request))

    @extend_schema(responses={200: ModelSerializer(many=True), **errors(400, 401, 429)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Models to make pictures with, also those above your plan."""
        return super().get(request, *args, **kwargs)
