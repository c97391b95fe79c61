"""What a picture says of itself, as far as a request could say it too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, BinaryIO

from gallery.picture_files.parts import LONGEST_NAME, MOST_NAMES
from gallery.picture_files.reading import Dialect, read_picture
from pingvas.recipe.recipe import is_storable, sift
from pingvas.recipe.settings import PLACES, SEED

SEEDS = "seeds"


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
    told = {
        name: _rounded(value)
        for name, value in said.values.items()
        if not isinstance(value, str) or value.strip()
    }
    settings, _ = sift(told)
    # What is None, and is no setting, says nothing.
    missed = [name for name in told if name not in settings and told[name] is not None]
    if SEED.name in settings:
        settings[SEEDS] = [settings.pop(SEED.name)]
    return PictureSettings(
        dialect=said.dialect,
        settings=settings,
        left_out=_shown([*said.unknown, *missed]),
    )


def _rounded(value: object) -> object:
    """As finely as it can be asked for."""
    if isinstance(value, float) and math.isfinite(value):
        return round(value, PLACES)
    return value


def _shown(names: list[str]) -> list[str]:
    fields = [SEEDS if name == SEED.name else name for name in names]
    sound = [name[:LONGEST_NAME] for name in fields if is_storable(name)]
    return list(dict.fromkeys(sound))[:MOST_NAMES]
