"""The recipe as a request has it: fields and document, made from the recipe's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from generation.recipes import words_of
from pingvas.core.api.serializers import KeptFields
from pingvas.recipe.advanced import advanced_schema
from pingvas.recipe.problems import Problem, out_of_range
from pingvas.recipe.recipe import Recipe
from pingvas.recipe.settings import (
    ADVANCED_PARAMS,
    LARGEST_SEED,
    MODEL,
    MOST_SEEDS,
    PLACES,
    RANDOM_SEED,
    SETTINGS,
    Setting,
)


class AdvancedParamsField(serializers.DictField):
    """Any object: what it may hold is the recipe's to say, with all its problems."""


class RecipeSerializer(KeptFields, serializers.Serializer[Any]):
    """What a picture shall be; one seed for each picture, -1 for a random one."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            **{one.name: _field(one) for one in (MODEL, *SETTINGS.values())},
            "seeds": serializers.ListField(
                child=serializers.IntegerField(
                    **_between(RANDOM_SEED, LARGEST_SEED),
                ),
                min_length=1,
                max_length=MOST_SEEDS,
                default=[RANDOM_SEED],
            ),
            ADVANCED_PARAMS: AdvancedParamsField(allow_null=True, default=None),
        }

    def recipe(self) -> Recipe:
        """The request as a recipe; ValidationError names what is wrong."""
        self.is_valid(raise_exception=True)
        values = {**self.validated_data, "seeds": tuple(self.validated_data["seeds"])}
        return Recipe(**values)


def _field(setting: Setting) -> serializers.Field[Any, Any, Any, Any]:
    rest: dict[str, Any] = {"help_text": setting.help, "required": setting.required}
    if setting.allows(setting.usual):
        rest = {"help_text": setting.help, "default": setting.usual}
    if setting.kind == "string":
        return serializers.CharField(**_text(setting), **rest)
    bounds = _between(setting.low, setting.high)
    if setting.kind == "integer":
        return serializers.IntegerField(**bounds, **rest)
    return serializers.DecimalField(
        max_digits=len(str(setting.high)) + PLACES,
        decimal_places=PLACES,
        allow_null=setting.optional,
        **bounds,
        **rest,
    )


def _text(setting: Setting) -> dict[str, Any]:
    words = words_of(Problem("too_long", {"count": setting.high}))
    return {
        "max_length": setting.high,
        "allow_blank": setting.low == 0,
        "error_messages": {"max_length": words},
    }


def _between(low: int, high: int) -> dict[str, Any]:
    words = words_of(out_of_range(low, high))
    return {
        "min_value": low,
        "max_value": high,
        "error_messages": {"min_value": words, "max_value": words},
    }


class AdvancedParamsDocument(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # untyped package
    """Documents the object as the table stands when the document is made."""

    target_class = AdvancedParamsField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {**_documented(advanced_schema()), "nullable": True}


def _documented(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema in OpenAPI 3.0's words, which has no list of types."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            found |= {"type": value[0], "nullable": True}
        elif key == "properties":
            found[key] = {name: _documented(one) for name, one in value.items()}
        elif key == "items":
            found[key] = _documented(value)
        elif key != "required" or value:
            found[key] = value
    return found
