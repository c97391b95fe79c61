"""How values lie in the cache: as JSON, which runs nothing when it is read.

Whoever can write to Redis could have a pickle run code in every process that reads it.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django_redis.serializers.json import JSONSerializer

log = logging.getLogger(__name__)

# What reading a value of another shape ends in: it counts as not there.
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, OverflowError)


class JsonSerializer(JSONSerializer):  # type: ignore[misc]  # untyped package
    """What is no JSON was not written by us: it counts as not there."""

    def loads(self, value: bytes) -> Any:
        try:
            return super().loads(value)
        except (ValueError, RecursionError):
            log.warning("unreadable value in the cache")
            return None


def read_moment(text: str) -> datetime:
    """A moment that was put into the cache; ValueError without its zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found
