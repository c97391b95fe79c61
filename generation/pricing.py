"""What a picture costs: 1 credit is 1 second of GPU time.

A quote is a pure function of the settings and of measured speeds. It is also the hold
and the ceiling: nobody pays more, whatever the picture takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pingvas.recipe.recipe import Recipe

# Room for a busy machine: the hold covers the mean and half as much again.
MARGIN = 1.5


@dataclass(frozen=True)
class Speed:
    """Milliseconds for a step and megapixel, and around the steps for a megapixel."""

    step_milliseconds: float
    around_milliseconds: float


@dataclass(frozen=True)
class Quote:
    """For one picture: `credits` is held and never exceeded; seconds are expected."""

    seconds: float
    credits: int
    pictures: int

    @property
    def total(self) -> int:
        return self.credits * self.pictures


# Until a model was measured on the hardware that serves it.
UNMEASURED = {
    "sd15": Speed(200, 1_000),
    "sd21": Speed(250, 1_000),
    "sdxl": Speed(400, 2_000),
    "flux": Speed(900, 3_000),
}


def quote_picture(recipe: Recipe, speed: Speed) -> Quote:
    """Price one picture of `recipe` at `speed`."""
    step, around = speed.step_milliseconds, speed.around_milliseconds
    seconds = recipe.milliseconds_at(step=step, around=around) / 1000
    return Quote(
        seconds=round(seconds, 3),
        credits=max(1, math.ceil(seconds * MARGIN)),
        pictures=len(recipe.seeds),
    )
