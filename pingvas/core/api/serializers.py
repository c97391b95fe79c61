"""What serializers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.serializers import Serializer

if TYPE_CHECKING:
    _Serializer = Serializer[Any]
else:
    _Serializer = object


class KeptFields(_Serializer):
    """Mixin: makes the fields once for the process, not once for every answer.

    That is a good part of the time of a short answer. For what is only written out: the
    fields stay bound to whichever instance came first, and the limits of fields that
    are read would go on refusing in the language of their first refusal.
    """

    @property
    def fields(self) -> Any:
        cls = type(self)
        if "_kept" not in cls.__dict__:
            cls._kept = super().fields  # type: ignore[attr-defined]
        return cls.__dict__["_kept"]
