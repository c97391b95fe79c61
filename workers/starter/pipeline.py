"""The finished starter model as a Stable Diffusion pipeline of plain diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderTiny,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
)

from workers.starter.denoiser import NOISE, Denoiser
from workers.starter.scenes import SIDE, Pixels

WEIGHTS = Path(__file__).parent / "weights"
SAMPLERS = {
    "euler_a": EulerAncestralDiscreteScheduler,
    "euler": EulerDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "ddim": DDIMScheduler,
}
STEPS = 20
GUIDANCE = 5.0
BATCH = 20


def assemble_pipeline(
    *, autoencoder: AutoencoderTiny, denoiser: Denoiser, scaling_factor: float
) -> StableDiffusionPipeline:
    autoencoder.register_to_config(scaling_factor=scaling_factor)
    scheduler = EulerDiscreteScheduler(**NOISE, steps_offset=1)
    # Samplers made from this configuration must not cut latents, which reach past 1.
    scheduler.register_to_config(clip_sample=False, set_alpha_to_one=False)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=denoiser.text_encoder,
        tokenizer=denoiser.tokenizer,
        unet=denoiser.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def load_pipeline(folder: Path = WEIGHTS) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def use_sampler(pipeline: StableDiffusionPipeline, name: str) -> None:
    pipeline.scheduler = SAMPLERS[name].from_config(pipeline.scheduler.config)


def draw_pictures(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    *,
    first_seed: int = 0,
    guidance: float = GUIDANCE,
    steps: int = STEPS,
) -> Pixels:
    """One picture (SIDE x SIDE x 3 bytes) for each prompt, seeds counted upwards."""
    pictures = []
    for start in range(0, len(prompts), BATCH):
        batch = list(prompts[start : start + BATCH])
        seeds = range(first_seed + start, first_seed + start + len(batch))
        drawn = pipeline(
            batch,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            output_type="np",
        ).images
        pictures.append(np.rint(drawn * 255).astype(np.uint8))
    return np.concatenate(pictures).reshape(-1, SIDE, SIDE, 3)
