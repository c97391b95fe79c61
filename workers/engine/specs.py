"""What a forward pass is asked for and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from PIL import Image

from pingvas.recipe import advanced
from pingvas.recipe.settings import MOST_SEEDS, SEED, SETTINGS, Settings
from workers.engine.errors import SpecRefused
from workers.engine.samplers import sampler_names

OnStep = Callable[[int, int], None]
OnPreview = Callable[[int, bytes], None]
ShouldStop = Callable[[], str | None]


class Phase(StrEnum):
    LOADING = "loading"
    DENOISING = "denoising"
    DECODING = "decoding"


OnPhase = Callable[[Phase], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSpec(Settings):
    """One forward pass: a recipe's settings on a checkpoint, with one to eight seeds.

    `sha256` is the checkpoint's digest as `inspect_model` gives it; when the caller has
    verified it already, the engine does not read the file a second time to compute it.
    `companion` is a folder that gives what this single file lacks, instead of the
    engine's own for the base.
    """

    model: Path
    base: str
    seeds: tuple[int, ...]
    sha256: str | None = None
    companion: Path | None = None

    @property
    def guidance(self) -> float | None:
        """None means no guidance."""
        return None if self.cfg_scale is None else float(self.cfg_scale)

    def check(self) -> None:
        """Refuse what no model of this base could run; raises SpecRefused."""
        if self.sampler not in sampler_names(self.base):
            raise SpecRefused(
                f"sampler {self.sampler!r} is unknown for {self.base}",
                code="unknown_sampler",
            )
        if self.width < 1 or self.height < 1:
            raise SpecRefused("width and height are positive", code="invalid_size")
        if not SETTINGS["steps"].allows(self.steps):
            raise SpecRefused("steps are out of bounds", code="invalid_steps")
        if not SETTINGS["cfg_scale"].allows(self.cfg_scale):
            raise SpecRefused("guidance is out of bounds", code="invalid_guidance")
        self._check_seeds()
        self._check_modules()

    def _check_seeds(self) -> None:
        if not 1 <= len(self.seeds) <= MOST_SEEDS:
            raise SpecRefused("a pass has 1 to 8 seeds", code="invalid_seeds")
        if not all(SEED.allows(seed) for seed in self.seeds):
            raise SpecRefused(
                f"a resolved seed lies in 0..{SEED.high}", code="invalid_seeds"
            )

    def _check_modules(self) -> None:
        unknown = sorted({*advanced.modules_of(self.advanced_params)} - advanced.DRAWN)
        if unknown:
            raise SpecRefused(
                f"this engine cannot do: {', '.join(unknown)}",
                code="unsupported_settings",
            )


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds by phase; prompt encoding counts as denoising."""

    loading: float = 0.0
    denoising: float = 0.0
    decoding: float = 0.0


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user must be told about the pass, by code."""

    code: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """`images` in the order of `seeds`; None only inside BrokenPicture.good.

    `batch_sizes` says for each picture how many shared its forward pass: the pixels
    of a seed depend on it.
    """

    images: tuple[Image.Image | None, ...]
    seeds: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    timings: Timings
    record: Mapping[str, Any]
    notes: tuple[Note, ...]
