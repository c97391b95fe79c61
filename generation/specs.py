"""What a person asks for, checked before any rule runs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

from django.utils.translation import gettext as _

from generation.models import LARGEST_BATCH
from modelhub.models import BaseModel
from pingvas.core.errors import InvalidRequest

DIFFUSION_SAMPLERS = (
    "euler_a", "euler", "euler_karras", "heun", "dpm2", "dpm2_karras", "dpm2_a",
    "dpmpp_2s", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "dpmpp_2m_sde_karras",
    "dpmpp_sde", "dpmpp_sde_karras", "ddim", "ddpm", "pndm", "deis", "unipc", "lms",
    "lms_karras", "lcm",
)  # fmt: skip
FLOW_SAMPLERS = ("euler", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm")
# The web process must not load torch, so the engine's names stand here once more; a
# contract test compares them.
SAMPLERS: dict[str, tuple[str, ...]] = {
    BaseModel.SD15: DIFFUSION_SAMPLERS,
    BaseModel.SD21: DIFFUSION_SAMPLERS,
    BaseModel.SDXL: DIFFUSION_SAMPLERS,
    BaseModel.FLUX: FLOW_SAMPLERS,
}

RANDOM_SEED = -1
LARGEST_SEED = 2**32 - 1
LONGEST_PROMPT = 4_000
PIXEL_GRID = 8
SMALLEST_SIDE = 64
LONGEST_SIDE = 2048
# Of models that do not say what they were trained on.
USUAL_SIDE = 512


@dataclass(frozen=True, kw_only=True)
class GenerationSpec:
    """One submission: the same picture settings with one seed for each picture.

    width, height: pixels, multiples of 8; 0 for the model's own side. cfg_scale: 1 to
    20, or None for no guidance. sampler: empty for the usual one of the model's base.
    seeds: 1 to 8 of -1 (random) or 0 to 2**32 - 1.
    """

    model: str
    prompt: str
    negative_prompt: str = ""
    width: int = 0
    height: int = 0
    steps: int = 20
    cfg_scale: Decimal | None = Decimal("7.5")
    sampler: str = ""
    seeds: tuple[int, ...] = (RANDOM_SEED,)

    def sized_for(self, *, native_side: int | None, longest_side: int) -> Self:
        """With sides that were left out: the model's own, as far as a tier allows."""
        side = min(native_side or USUAL_SIDE, longest_side)
        width, height = self.width or side, self.height or side
        return replace(self, width=width, height=height)

    def check(self, *, base_model: str, longest_side: int) -> None:
        """InvalidRequest naming every field at fault, for a model and a tier's side."""
        problems = {
            "prompt": self._prompt_problem(),
            "width": _side_problem(self.width, longest_side),
            "height": _side_problem(self.height, longest_side),
            "steps": _range_problem(self.steps, 1, 150),
            "cfg_scale": self._guidance_problem(),
            "sampler": self._sampler_problem(base_model),
            "seeds": self._seed_problem(),
        }
        fields = {name: [words] for name, words in problems.items() if words}
        if fields:
            raise InvalidRequest(fields=fields)

    def resolved_seeds(self) -> list[int]:
        """The seeds with every -1 drawn."""
        return [
            secrets.randbelow(LARGEST_SEED + 1) if seed == RANDOM_SEED else seed
            for seed in self.seeds
        ]

    def resolved_sampler(self, base_model: str) -> str:
        """The sampler asked for, or the usual one of the base."""
        return self.sampler or SAMPLERS[base_model][0]

    def _prompt_problem(self) -> str:
        if not self.prompt.strip():
            return _("Write what the picture shall show.")
        if max(len(self.prompt), len(self.negative_prompt)) > LONGEST_PROMPT:
            return _("At most %(count)s characters.") % {"count": LONGEST_PROMPT}
        if "\x00" in self.prompt + self.negative_prompt:
            return _("This text holds a character that cannot be stored.")
        return ""

    def _guidance_problem(self) -> str:
        if self.cfg_scale is None:
            return ""
        return _range_problem(self.cfg_scale, 1, 20)

    def _sampler_problem(self, base_model: str) -> str:
        known = SAMPLERS[base_model]
        if not self.sampler or self.sampler in known:
            return ""
        return _("Unknown for this model. Known: %(names)s") % {
            "names": ", ".join(known)
        }

    def _seed_problem(self) -> str:
        if not 1 <= len(self.seeds) <= LARGEST_BATCH:
            return _("Between 1 and %(count)s seeds.") % {"count": LARGEST_BATCH}
        wrong = [s for s in self.seeds if not RANDOM_SEED <= s <= LARGEST_SEED]
        return _range_problem(wrong[0], RANDOM_SEED, LARGEST_SEED) if wrong else ""


def _range_problem(value: Decimal | int, low: int, high: int) -> str:
    if low <= value <= high:
        return ""
    return _("Must be between %(low)s and %(high)s.") % {"low": low, "high": high}


def _side_problem(side: int, longest_side: int) -> str:
    if side % PIXEL_GRID:
        return _("Must be a multiple of %(grid)s pixels.") % {"grid": PIXEL_GRID}
    if side > longest_side <= LONGEST_SIDE:
        return _("Your plan allows at most %(side)s pixels.") % {"side": longest_side}
    return _range_problem(side, SMALLEST_SIDE, LONGEST_SIDE)
