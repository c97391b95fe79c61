"""What a picture says of itself, as far as a request could say it too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, BinaryIO, get_type_hints

from gallery.picture_files.reading import Dialect, read_picture
from generation.specs import (
    LONGEST_SIDE,
    RANDOM_SEED,
    SAMPLERS,
    USUAL_SIDE,
    GenerationSpec,
)
from modelhub.models import AIModel
from pingvas.core.errors import InvalidRequest

LONGEST_MODEL = AIModel._meta.get_field("name").max_length or 0
# Of names in a stranger's file, which are shown.
LONGEST_NAME = 50
MOST_NAMES = 50
LARGEST_NUMBER = 1_000

_TYPES = get_type_hints(GenerationSpec)
# A request that has nothing wrong with it but the one value that is put into it.
_SOUND = GenerationSpec(model="-", prompt="-", width=USUAL_SIDE, height=USUAL_SIDE)


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    """settings: fields of a submission that the picture tells, each within its bounds.

    left_out: names of what is not understood, or out of bounds.
    """

    dialect: Dialect
    settings: dict[str, Any]
    left_out: list[str]


def read_picture_settings(file: BinaryIO) -> PictureSettings:
    """Raises what `gallery.picture_files.reading.read_picture` does."""
    said = read_picture(file)
    settings: dict[str, Any] = {}
    left_out = list(said.unknown)
    for name, value in said.values.items():
        part = _as_asked(name, value)
        if part is None or (part and not _is_allowed(part)):
            left_out.append("seeds" if name == "seed" else name)
        else:
            settings |= part
    return PictureSettings(
        dialect=said.dialect, settings=settings, left_out=_shown(left_out)
    )


def _as_asked(name: str, value: object) -> dict[str, Any] | None:
    """As a request has it: empty for what says nothing, None for another type's."""
    kind = int if name == "seed" else _TYPES.get(name)
    if kind == Decimal | None:
        return _guidance(name, value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    if kind is str and isinstance(value, str) and is_storable(value):
        return {name: value}
    if kind is int and type(value) is int:
        return {"seeds": [value]} if name == "seed" else {name: value}
    return None


def _guidance(name: str, value: object) -> dict[str, Any] | None:
    """None is a value here: no guidance was used."""
    if value is None:
        return {name: None}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # What is not a number is not smaller either.
    is_sound = abs(value) < LARGEST_NUMBER
    return {name: Decimal(str(round(value, 2)))} if is_sound else None


def is_storable(text: str) -> bool:
    """NUL cannot be stored, and half of a surrogate pair cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _is_allowed(part: dict[str, Any]) -> bool:
    """Whether a submission for any model could say so."""
    is_random = RANDOM_SEED in part.get("seeds", [])
    if is_random or len(part.get("model", "")) > LONGEST_MODEL:
        return False
    asked = replace(_SOUND, **part)
    return any(_passes(asked, base) for base in SAMPLERS)


def _passes(asked: GenerationSpec, base: str) -> bool:
    try:
        asked.check(base_model=base, longest_side=LONGEST_SIDE)
    except InvalidRequest:
        return False
    return True


def _shown(names: list[str]) -> list[str]:
    sound = [name[:LONGEST_NAME] for name in names if is_storable(name)]
    return list(dict.fromkeys(sound))[:MOST_NAMES]
