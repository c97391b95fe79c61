"""One pass in memory's limits: the whole batch, or two halves of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from PIL import Image

from workers.engine.decoding import broken_latents, decode_latents, is_black, to_images
from workers.engine.denoising import Progress, denoise_batch
from workers.engine.errors import OutOfMemory
from workers.engine.loading import LoadedModel
from workers.engine.memory import is_out_of_memory, release_memory
from workers.engine.previews import PreviewPainter
from workers.engine.specs import Note, PassSpec

logger = logging.getLogger(__name__)

Seeds = tuple[int, ...]


@dataclass(slots=True)
class Pass:
    """A pass on its model. `parts` are the latents of each forward pass, in order."""

    model: LoadedModel
    spec: PassSpec
    progress: Progress
    painter: PreviewPainter | None
    parts: list[torch.Tensor]
    notes: list[Note]

    def attempt(self, lists: list[Seeds]) -> bool:
        """Run these parts; False when memory did not suffice."""
        self.parts, self.notes = [], []
        self.progress.parts = len(lists)
        first = 0
        try:
            for part, seeds in enumerate(lists):
                self.progress.part = part
                latents, notes = denoise_batch(
                    self.model, self.spec, seeds, self.progress, self.painter, first
                )
                self.parts.append(latents)
                self.notes = list(notes)
                first += len(seeds)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self.parts = []
        # Past the except block nothing refers to the failed pass's tensors.
        return bool(self.parts)

    def attempt_halved(self, *, freed: bool) -> None:
        """After a failure: once more in halves; raises OutOfMemory.

        A single picture cannot be halved, but is worth another attempt if other
        models were dropped meanwhile (`freed`).
        """
        release_memory()
        lists = halves(self.spec.seeds)
        if len(lists) == 1 and not freed:
            raise OutOfMemory("one picture of this size does not fit")
        logger.warning("out of memory, running %s pictures", [*map(len, lists)])
        if not self.attempt(lists):
            release_memory()
            raise OutOfMemory("half of the batch does not fit either")
        if len(lists) > 1:
            self.notes.append(Note("batch_halved", {"batch_sizes": [*map(len, lists)]}))


def halves(seeds: Seeds) -> list[Seeds]:
    """Two parts, the larger one first; one part of a single seed."""
    middle = (len(seeds) + 1) // 2
    return [part for part in (seeds[:middle], seeds[middle:]) if part]


def paint_part(
    model: LoadedModel, spec: PassSpec, latents: torch.Tensor
) -> list[Image.Image | None]:
    """Pictures of one part in order, None in the place of each broken one."""
    broken = broken_latents(latents)
    images = _decode_frugally(model, spec, latents)
    return [
        None if bad or image is None or is_black(image) else image
        for bad, image in zip(broken, images, strict=True)
    ]


def _decode_frugally(
    model: LoadedModel, spec: PassSpec, latents: torch.Tensor
) -> list[Image.Image | None]:
    images = _decode(model, spec, latents)
    if images is None and len(latents) > 1:
        release_memory()
        singles = [_decode(model, spec, one) for one in torch.split(latents, 1)]
        images = [one[0] for one in singles if one is not None]
    if images is None or len(images) < len(latents):
        raise OutOfMemory("the picture does not fit while it is decoded")
    return images


def _decode(
    model: LoadedModel, spec: PassSpec, latents: torch.Tensor
) -> list[Image.Image | None] | None:
    """None when memory did not suffice; a None inside for NaN or infinity."""
    try:
        pixels = decode_latents(model, latents, spec.height, spec.width)
        flawed = broken_latents(pixels)
        images = to_images(model, pixels.nan_to_num(0))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
    return [None if bad else image for bad, image in zip(flawed, images, strict=True)]
