"""What is wrong with a setting, by code and figures; pages and API have the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """`code` names the sentence, `data` fills it."""

    code: str
    data: Mapping[str, Any] = field(default_factory=dict)


def out_of_range(low: object, high: object) -> Problem:
    return Problem("out_of_range", {"low": low, "high": high})
