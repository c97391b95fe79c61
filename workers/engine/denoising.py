"""The steps of one forward pass: from seeds and a prompt to finished latents."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from workers.engine.errors import SpecRefused
from workers.engine.loading import LoadedModel
from workers.engine.previews import PreviewPainter, predicted_picture
from workers.engine.prompts import encode_prompts, wants_negative
from workers.engine.samplers import make_scheduler
from workers.engine.specs import Note, OnStep, PassSpec, ShouldStop


class StepTap:
    """Stands between the pipeline and its scheduler's step.

    It hands over the seeds' generators: the Flux pipeline forgets them, and samplers
    that add noise would draw it from whatever ran before. And it keeps what the
    latest step was given, because callbacks see the noisy latents only: with the
    model's output beside them a preview shows the picture under the noise.
    """

    def __init__(self, scheduler: Any, generators: list[torch.Generator]) -> None:
        self.latest: tuple[torch.Tensor, torch.Tensor] | None = None
        step = scheduler.step
        takes = inspect.signature(step).parameters
        seeded = {"generator": generators} if "generator" in takes else {}

        # The pipelines look at the signature to see what they may pass.
        @functools.wraps(step)
        def tapped(output: Any, timestep: Any, sample: Any, **more: Any) -> Any:
            self.latest = (sample, output)
            return step(output, timestep, sample, **{**seeded, **more})

        scheduler.step = tapped


class StopRequested(Exception):
    """Unwinds the pipeline's loop between two steps."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Progress:
    """Steps done of the whole pass, which never goes back.

    A pass that ran out of memory starts again in smaller parts: what users see then
    waits until the new run has caught up.
    """

    total: int
    on_step: OnStep
    should_stop: ShouldStop
    parts: int = 1
    part: int = 0
    done: int = 0

    def check(self) -> None:
        """Raise StopRequested when the caller wants to stop."""
        reason = self.should_stop()
        if reason is not None:
            raise StopRequested(reason)

    def advance(self, done_in_part: int) -> None:
        done = (self.part * self.total + done_in_part) // self.parts
        if done > self.done:
            self.done = done
            self.on_step(done, self.total)


@dataclass(slots=True)
class _StepWatch:
    """The pipeline's callback after each step."""

    model: LoadedModel
    progress: Progress
    painter: PreviewPainter | None
    tap: StepTap
    scheduler: Any
    first_index: int
    timesteps: list[float] = field(default_factory=list)

    def __call__(
        self, pipeline: Any, index: int, timestep: Any, tensors: dict[str, Any]
    ) -> dict[str, Any]:
        rounds = pipeline.num_timesteps  # heun takes two for a step, pndm one more
        total = self.progress.total
        self.progress.advance(min(total, (index + 1) * total // rounds))
        self._preview(index)
        self.progress.check()
        return {}

    def _preview(self, index: int) -> None:
        if self.painter is None or self.tap.latest is None or not self.painter.due():
            return
        if not self.timesteps:
            self.timesteps = [float(t) for t in self.scheduler.timesteps]
        sample, output = self.tap.latest
        picture = predicted_picture(
            sample, output, self.timesteps[index], self.scheduler, self.model.base
        )
        self.painter.offer(picture, self.first_index)


def check_size(model: LoadedModel, spec: PassSpec) -> None:
    """Refuse sizes that this model's latents cannot hold; raises SpecRefused."""
    multiple = model.size_multiple
    if spec.width % multiple or spec.height % multiple:
        raise SpecRefused(
            f"width and height must be multiples of {multiple} for this model",
            code="invalid_size",
        )


def denoise_batch(
    model: LoadedModel,
    spec: PassSpec,
    seeds: tuple[int, ...],
    progress: Progress,
    painter: PreviewPainter | None,
    first_index: int,
) -> tuple[torch.Tensor, tuple[Note, ...]]:
    """Latents of these seeds in the order given, as the pipeline keeps them.

    Raises StopRequested between steps, and whatever the device raises.
    """
    progress.check()
    pipeline = model.pipeline
    conditioning = encode_prompts(
        model, spec.prompt, spec.negative_prompt or None, spec.guidance
    )
    progress.check()
    scheduler = make_scheduler(model.base, spec.sampler, model.noise, spec.steps)
    pipeline.scheduler = scheduler
    generators = [seeded(seed) for seed in seeds]
    tap = StepTap(scheduler, generators)
    watch = _StepWatch(model, progress, painter, tap, scheduler, first_index)
    with _compile_stance(model, len(seeds), spec):
        latents: torch.Tensor = pipeline(
            **_embeds(model, conditioning.arguments, len(seeds)),
            **_guidance(model, spec.guidance),
            height=spec.height,
            width=spec.width,
            num_inference_steps=spec.steps,
            generator=generators,
            output_type="latent",
            callback_on_step_end=watch,
        ).images
    return latents, conditioning.notes


def _embeds(
    model: LoadedModel, embeds: dict[str, Any], pictures: int
) -> dict[str, Any]:
    """One prompt for so many pictures, the way each pipeline repeats it.

    Flux's pipeline repeats only prompts that it encoded itself.
    """
    if model.base != "flux":
        return {**embeds, "num_images_per_prompt": pictures}
    return {
        name: tensor.repeat_interleave(pictures, 0) for name, tensor in embeds.items()
    }


def seeded(seed: int) -> torch.Generator:
    """Noise comes from the processor, the same for every kind of device."""
    return torch.Generator("cpu").manual_seed(seed)


def _guidance(model: LoadedModel, guidance: float | None) -> dict[str, float]:
    """1 is how the pipelines say: no guidance."""
    value = 1.0 if guidance is None else guidance
    if model.base != "flux":
        return {"guidance_scale": value}
    if wants_negative(model, guidance):
        return {"guidance_scale": 1.0, "true_cfg_scale": value}
    return {"guidance_scale": value}


def _compile_stance(model: LoadedModel, batch: int, spec: PassSpec) -> Any:
    """Compiled blocks run only for sizes of the warm-up; nothing compiles on a job."""
    if not model.warmed:
        return nullcontext()  # nothing is compiled, and asking costs an import
    set_stance: Callable[[str], Any] = torch.compiler.set_stance
    if model.warming:
        return set_stance("default")
    warmed = (batch, spec.height, spec.width) in model.warmed
    return set_stance("eager_on_recompile" if warmed else "force_eager")
