"""The settings of a picture, and what each may be.

One table of the plain settings, each of which has a column; everything else travels in
`advanced_params`. Forms, API, checks, metadata and the engine's pass read both.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, Literal

from pingvas.recipe.samplers import SAMPLER_LABELS

Number = Decimal | float
Kind = Literal["string", "integer", "number"]

# How one picture of a submission differs from the next. torch's CPU generator keeps the
# low 32 bits of a seed: a wider range would promise pictures that do not exist.
RANDOM_SEED = -1
LARGEST_SEED = 2**32 - 1
MOST_SEEDS = 8
# Of models that do not say what they were trained on.
USUAL_SIDE = 512
ADVANCED_PARAMS = "advanced_params"
PROMPTS = ("prompt", "negative_prompt")
SIDES = ("width", "height")
MEGAPIXEL = 1024 * 1024
# Behind the point of a number, in its column as well.
PLACES = 2


def _(words: str) -> str:
    """Marks words for translation; whoever shows them translates."""
    return words


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What one setting may be, and how people call it.

    low, high: both allowed; for a text, its characters. grid: a whole number is a
    multiple of it; of others it is the form's step. usual: what is taken when nothing
    is said; `required` settings have none. optional: None switches it off. names: of a
    text that is one of them, or empty for the usual one. slider: the part of the range
    that a slider covers, and its grid. priced: the price grows with it.
    """

    name: str = ""
    kind: Kind
    low: int
    high: int
    grid: Number = 1
    usual: Any = None
    required: bool = False
    optional: bool = False
    names: Collection[str] = ()
    label: str = ""
    help: str = ""
    slider: tuple[int, Number] | None = None
    priced: bool = False

    def allows(self, value: Any) -> bool:
        """Whether a value of any type, from anywhere, is one of this setting."""
        if value is None:
            return self.optional
        if self.kind == "string":
            return isinstance(value, str) and self._reads(value)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return False
        # Not a number is neither above nor below anything.
        return self.low <= value <= self.high and self._fits(value)

    def _reads(self, text: str) -> bool:
        is_known = not self.names or not text or text in self.names
        return self.low <= len(text) <= self.high and is_known

    def _fits(self, value: Number) -> bool:
        if self.kind == "number":
            return math.isfinite(value)
        return isinstance(value, int) and value % self.grid == 0


def _setting(kind: Kind, low: int, high: int, **rest: Any) -> Any:
    rule = Setting(kind=kind, low=low, high=high, required="usual" not in rest, **rest)
    default = MISSING if rule.required else rule.usual
    return field(default=default, metadata={"setting": rule})


def _side(label: str) -> Any:
    words = "in pixels; left out: the model's native_side, or 512"
    return _setting("integer", 64, 2048, grid=8, usual=0, label=label, help=words)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one picture is asked for, but for its model and its seed.

    width, height: pixels; 0 stands for the model's own side until `Recipe.sized_for`
    was asked. sampler: "" for the usual one of the model's base. cfg_scale: None for no
    guidance. advanced_params: everything else, see `pingvas.recipe.advanced`.
    """

    prompt: str = _setting("string", 1, 4_000, label=_("Prompt"))
    negative_prompt: str = _setting("string", 0, 4_000, usual="", label=_("Leave out"))
    width: int = _side(_("Width"))
    height: int = _side(_("Height"))
    steps: int = _setting(
        "integer", 1, 150, usual=20, label=_("Steps"), slider=(60, 1), priced=True
    )
    cfg_scale: Number | None = _setting(  # noqa: RUF009 - it makes a field
        "number",
        1,
        20,
        usual=Decimal("7.5"),
        optional=True,
        grid=0.1,
        label=_("Guidance"),
        help="null: no guidance",
        slider=(20, 0.5),
    )
    sampler: str = _setting(
        "string",
        0,
        50,
        usual="",
        names=SAMPLER_LABELS,
        label=_("Sampler"),
        help="empty: the usual one of the model's base",
    )
    advanced_params: Mapping[str, Any] | None = None

    @property
    def megapixels(self) -> float:
        return self.width * self.height / MEGAPIXEL

    def milliseconds_at(self, *, step: float, around: float) -> float:
        """How long it takes at a speed.

        step: milliseconds of a step and megapixel. around: of what is around the steps,
        for a megapixel.
        """
        return self.megapixels * (self.steps * step + around)

    def speed_of(self, *, steps: float, around: float) -> tuple[float, float]:
        """`step` and `around` of above, from what all steps and the rest took."""
        return steps / self.steps / self.megapixels, around / self.megapixels

    def facts(self) -> dict[str, Any]:
        """All of it, ready for JSON; without `advanced_params` where there are none."""
        found = {name: plain_value(getattr(self, name)) for name in SETTINGS}
        if self.advanced_params:
            found[ADVANCED_PARAMS] = dict(self.advanced_params)
        return found


def plain_value(value: Any) -> Any:
    """A setting's value as JSON has it."""
    return float(value) if isinstance(value, Decimal) else value


MODEL = Setting(
    name="model", kind="string", low=1, high=100, required=True, label=_("Model")
)
SEED = Setting(
    name="seed",
    kind="integer",
    low=0,
    high=LARGEST_SEED,
    usual=RANDOM_SEED,
    label=_("Seed"),
)
# The plain settings by name, in the order in which they are shown.
SETTINGS: Mapping[str, Setting] = {
    one.name: replace(one.metadata["setting"], name=one.name)
    for one in fields(Settings)
    if "setting" in one.metadata
}
SMALLEST_SIDE, LONGEST_SIDE = SETTINGS["width"].low, SETTINGS["width"].high
PIXEL_GRID = int(SETTINGS["width"].grid)
LONGEST_PROMPT = SETTINGS["prompt"].high
