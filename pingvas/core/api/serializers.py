"""What serializers share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language
from rest_framework.serializers import Serializer

if TYPE_CHECKING:
    _Serializer = Serializer[Any]
else:
    _Serializer = object


class KeptFields(_Serializer):
    """Mixin: makes the fields once for the process, not once for every request.

    That is a good part of the time of a short one. A field words its limits for good
    when it first refuses, so every language has fields of its own.
    """

    @property
    def fields(self) -> Any:
        return _kept_fields(type(self), get_language())


@cache
def _kept_fields(serializer: type[KeptFields], language: str | None) -> Any:
    # Bound to an instance that nobody's data pass through.
    return super(KeptFields, serializer()).fields
