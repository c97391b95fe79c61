"""The denoiser: a small UNet and a small CLIP text encoder, trained together.

The latents of many scenes are computed once; captions are written anew each time, so
that no scene is bound to one wording.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDPMScheduler, UNet2DConditionModel
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from workers.starter.autoencoder import LATENT_CHANNELS, STAGES, to_tensor
from workers.starter.captions import draw_captions
from workers.starter.scenes import SIDE, Scene, draw_scenes, render_scenes
from workers.starter.training import AveragedWeights, Run, Schedule, train

LATENT_SIDE = SIDE // 2 ** (STAGES - 1)
TEXT_WIDTH = 128
WIDTHS = (64, 128)
HEADS = (2, 4)
BATCH = 32
SCENES = 16_000
SCENES_SEED = 10
# Linear betas leave hardly any signal at the last step: a picture starts from pure
# noise, so flat backgrounds must not be readable from it in training either.
TIMES = 1000
NOISE = {
    "num_train_timesteps": TIMES,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "prediction_type": "v_prediction",
}
# Nearly clean latents count at most this much in terms of the picture's error.
HIGHEST_WEIGHT = 6.0


def build_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * len(WIDTHS),
        up_block_types=("CrossAttnUpBlock2D",) * len(WIDTHS),
        attention_head_dim=HEADS,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=16,
    )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    configuration = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(configuration)


class Denoiser(nn.Module):
    """Both trained parts as one module, with one set of averaged weights."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.text_encoder = build_text_encoder(tokenizer)
        self.unet = build_unet().to(memory_format=torch.channels_last)

    def forward(
        self, noisy: torch.Tensor, times: torch.Tensor, captions: list[str]
    ) -> torch.Tensor:
        tokens = self.tokenizer(
            captions, padding="max_length", truncation=True, return_tensors="pt"
        )
        hidden = self.text_encoder(tokens.input_ids)[0]
        predicted: torch.Tensor = self.unet(noisy, times, hidden).sample
        return predicted.float()


@torch.no_grad()
def encode_scenes(autoencoder: AutoencoderTiny, scenes: list[Scene]) -> torch.Tensor:
    """Raw latents (N, channels, side, side) in half precision."""
    parts = []
    for start in range(0, len(scenes), BATCH):
        pictures = to_tensor(render_scenes(scenes[start : start + BATCH]))
        with torch.autocast("cpu", torch.bfloat16):
            latents = autoencoder.encode(pictures).latents
        parts.append(latents.half())
    return torch.cat(parts)


@dataclass(frozen=True)
class Lessons:
    """Scenes with their latents, scaled to unit variance."""

    scenes: list[Scene]
    latents: torch.Tensor
    scaling_factor: float

    @classmethod
    def prepare(cls, autoencoder: AutoencoderTiny, folder: Path) -> Lessons:
        cache = folder / "latents.npy"
        scenes = draw_scenes(count=SCENES, seed=SCENES_SEED)
        if not cache.exists():
            np.save(cache, encode_scenes(autoencoder, scenes).numpy())
        latents = torch.from_numpy(np.load(cache))
        scaling_factor = 1 / float(latents[:4096].float().std())
        return cls(scenes, latents, scaling_factor)

    def take(self, step: int) -> tuple[torch.Tensor, list[str]]:
        picks = np.random.default_rng(step).integers(len(self.scenes), size=BATCH)
        captions = draw_captions([self.scenes[i] for i in picks], seed=5_000 + step)
        latents = self.latents[picks].float() * self.scaling_factor
        return latents.contiguous(memory_format=torch.channels_last), captions


def spread_times(step: int) -> torch.Tensor:
    """One time from each of BATCH equal parts of the schedule."""
    generator = torch.Generator().manual_seed(step)
    chance = torch.rand(BATCH, generator=generator)
    times = (torch.arange(BATCH) + chance) / BATCH * TIMES
    return times.long()


def velocity_loss(
    model: Denoiser, noise: DDPMScheduler, lessons: Lessons, step: int
) -> torch.Tensor:
    latents, captions = lessons.take(step)
    times = spread_times(step)
    kept = noise.alphas_cumprod[times][:, None, None, None]
    disturbance = torch.randn(
        latents.shape, generator=torch.Generator().manual_seed(step + 1)
    )
    noisy = noise.add_noise(latents, disturbance, times)
    target = noise.get_velocity(latents, disturbance, times)
    with (
        torch.autocast("cpu", torch.bfloat16),
        sdpa_kernel(SDPBackend.MATH),
    ):
        predicted = model(noisy, times, captions)
    # A velocity's error is the picture's error times 1 + signal / noise.
    ratio = 1 / (1 - kept)
    weight = ratio.clamp(max=HIGHEST_WEIGHT) / ratio
    loss: torch.Tensor = (weight * (predicted - target) ** 2).mean()
    return loss


def train_denoiser(
    *,
    folder: Path,
    autoencoder: AutoencoderTiny,
    tokenizer: CLIPTokenizer,
    steps: int,
    judge: Callable[[Denoiser, float], dict[str, Any]],
    rate: float = 8e-4,
) -> None:
    torch.manual_seed(0)
    lessons = Lessons.prepare(autoencoder, folder)
    model = Denoiser(tokenizer)
    noise = DDPMScheduler(**NOISE)
    run = Run(
        name="denoiser",
        folder=folder,
        model=model,
        optimizer=torch.optim.AdamW(
            model.parameters(), lr=rate, weight_decay=0.01, fused=True
        ),
        average=AveragedWeights(model, decay=0.998),
        schedule=Schedule(rate=rate, steps=steps),
    )

    def inspect(run: Run) -> dict[str, Any]:
        averaged = Denoiser(tokenizer).eval()
        run.average.copy_to(averaged)
        return judge(averaged, lessons.scaling_factor)

    train(run, lambda step: velocity_loss(model, noise, lessons, step), inspect)
