"""What a forward pass is asked for and what it answers."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from PIL import Image

from workers.engine.errors import SpecRefused
from workers.engine.samplers import sampler_names

# torch's CPU generator (Mersenne Twister) keeps the low 32 bits of a seed: a wider
# range would promise pictures that do not exist.
SEED_MAX = 2**32 - 1
MAX_BATCH = 8
MAX_STEPS = 150
RANDOM_SEED = -1

OnStep = Callable[[int, int], None]
OnPreview = Callable[[int, bytes], None]
ShouldStop = Callable[[], str | None]


class Phase(StrEnum):
    LOADING = "loading"
    DENOISING = "denoising"
    DECODING = "decoding"


OnPhase = Callable[[Phase], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSpec:
    """One forward pass: one prompt, one size, one to eight seeds.

    `guidance` None means no guidance. `sha256` is the checkpoint's digest as
    `inspect_model` gives it; when the caller has verified it already, the engine does
    not read the file a second time to compute it. `companion` is a folder that gives
    what this single file lacks, instead of the engine's own for the base.
    """

    model: Path
    base: str
    prompt: str
    width: int
    height: int
    steps: int
    guidance: float | None
    sampler: str
    seeds: tuple[int, ...]
    negative_prompt: str | None = None
    sha256: str | None = None
    companion: Path | None = None

    def check(self) -> None:
        """Refuse what no model of this base could run; raises SpecRefused."""
        if self.sampler not in sampler_names(self.base):
            raise SpecRefused(
                f"sampler {self.sampler!r} is unknown for {self.base}",
                code="unknown_sampler",
            )
        if not 1 <= self.steps <= MAX_STEPS:
            raise SpecRefused(f"steps {self.steps} not in 1..150", code="invalid_steps")
        if self.width < 1 or self.height < 1:
            raise SpecRefused("width and height are positive", code="invalid_size")
        if self.guidance is not None and not 1 <= self.guidance < math.inf:
            raise SpecRefused("guidance is None or >= 1", code="invalid_guidance")
        self._check_seeds()

    def _check_seeds(self) -> None:
        if not 1 <= len(self.seeds) <= MAX_BATCH:
            raise SpecRefused("a pass has 1 to 8 seeds", code="invalid_seeds")
        if any(not 0 <= seed <= SEED_MAX for seed in self.seeds):
            raise SpecRefused(
                f"a resolved seed lies in 0..{SEED_MAX}", code="invalid_seeds"
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


def resolve_seed(seed: int) -> int:
    """-1 becomes a random seed in 0..2**32-1; others pass through, checked."""
    if seed == RANDOM_SEED:
        return secrets.randbelow(SEED_MAX + 1)
    if not 0 <= seed <= SEED_MAX:
        raise SpecRefused(f"a seed is -1 or in 0..{SEED_MAX}", code="invalid_seeds")
    return seed
