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
from workers.starter.scenes import (
    COLOURS,
    COLUMNS,
    ROWS,
    SIDE,
    SIZES,
    Scene,
    draw_scenes,
    object_mask,
    render_scenes,
)
from workers.starter.shapes import KINDS
from workers.starter.training import AveragedWeights, Run, Schedule, train

LATENT_SIDE = SIDE // 2 ** (STAGES - 1)
TEXT_WIDTH = 128
WIDTHS = (64, 128)
HEADS = (2, 4)
BATCH = 32
SCENES = 60_000
SCENES_SEED = 10
# Share of scenes with two objects: more than half would starve the single ones.
PAIRS = 0.4
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
# The text encoder is also asked what a caption says, which teaches it to tell the
# object's colour from the background's long before pictures would.
ATTRIBUTES = {
    "kind": KINDS,
    "colour": tuple(COLOURS),
    "background": tuple(COLOURS),
    "size": tuple(SIZES),
    "column": COLUMNS,
    "row": ROWS,
}
NOTHING = "nothing"
OTHER_ATTRIBUTES = {
    "kind": (NOTHING, *KINDS),
    "colour": (NOTHING, *COLOURS),
    "size": (NOTHING, *SIZES),
}
READING_WEIGHT = 0.05
# Hardly a caption reaches the last tokens of the window: there all of it is known.
SUMMARY_TOKENS = 10
# Cells of the latents that the object touches count more at first. That biases what
# is drawn, so the surplus fades out over the schedule's last part.
OBJECT_WEIGHT = 3.0
FADING = 0.3
# Outlines take shape at middling noise: three quarters of all samples lie there
# (cumulative shares, and the times they reach).
TIME_SHARES = ((0.0, 0.04, 0.78, 1.0), (0, 80, 600, TIMES))
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
        self.readers = nn.ModuleDict(
            {
                attribute: nn.Linear(TEXT_WIDTH, len(names))
                for attribute, names in ATTRIBUTES.items()
            }
            | {
                f"other_{attribute}": nn.Linear(TEXT_WIDTH, len(names))
                for attribute, names in OTHER_ATTRIBUTES.items()
            }
        )

    def forward(
        self, noisy: torch.Tensor, times: torch.Tensor, captions: list[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Predicted velocity, and what the captions' tokens have become."""
        tokens = self.tokenizer(
            captions, padding="max_length", truncation=True, return_tensors="pt"
        )
        hidden = self.text_encoder(tokens.input_ids)[0]
        predicted = self.unet(noisy, times, hidden).sample
        return predicted.float(), hidden


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
        scenes = draw_scenes(count=SCENES, seed=SCENES_SEED, pairs=PAIRS)
        if not cache.exists():
            np.save(cache, encode_scenes(autoencoder, scenes).numpy())
        latents = torch.from_numpy(np.load(cache))
        scaling_factor = 1 / float(latents[:4096].float().std())
        return cls(scenes, latents, scaling_factor)

    def take(self, step: int) -> tuple[torch.Tensor, list[Scene], list[str]]:
        picks = np.random.default_rng(step).integers(len(self.scenes), size=BATCH)
        scenes = [self.scenes[pick] for pick in picks]
        captions = draw_captions(scenes, seed=5_000 + step)
        latents = self.latents[picks].float() * self.scaling_factor
        return latents.contiguous(memory_format=torch.channels_last), scenes, captions


def spread_times(step: int) -> torch.Tensor:
    """One time from each of BATCH equally likely parts of the schedule."""
    chance = np.random.default_rng(step).random(BATCH)
    shares = (np.arange(BATCH) + chance) / BATCH
    return torch.from_numpy(np.interp(shares, *TIME_SHARES)).long()


def answers(scenes: list[Scene]) -> dict[str, list[int]]:
    """What the readers should say of each scene's caption, as positions of names."""
    first = {
        attribute: [names.index(getattr(scene, attribute)) for scene in scenes]
        for attribute, names in ATTRIBUTES.items()
    }
    second = {
        f"other_{attribute}": [
            names.index(getattr(scene.other, attribute, NOTHING)) for scene in scenes
        ]
        for attribute, names in OTHER_ATTRIBUTES.items()
    }
    return first | second


def reading_loss(
    model: Denoiser, hidden: torch.Tensor, scenes: list[Scene]
) -> torch.Tensor:
    """How badly the scenes' attributes are read from the end of the text."""
    summary = hidden[:, -SUMMARY_TOKENS:].mean(dim=1)
    losses = []
    for attribute, right in answers(scenes).items():
        scores = model.readers[attribute](summary).float()
        losses.append(nn.functional.cross_entropy(scores, torch.tensor(right)))
    return torch.stack(losses).sum()


def cell_weights(scenes: list[Scene], progress: float) -> torch.Tensor:
    """Weight of each latent cell (N, 1, side, side), 1 for all of them at the end."""
    masks = torch.from_numpy(np.stack([object_mask(scene) for scene in scenes]))
    touched = nn.functional.max_pool2d(masks[:, None], SIDE // LATENT_SIDE)
    return 1 + OBJECT_WEIGHT * min(1.0, (1 - progress) / FADING) * touched


def denoising_loss(
    model: Denoiser,
    noise: DDPMScheduler,
    lessons: Lessons,
    step: int,
    progress: float,
) -> torch.Tensor:
    latents, scenes, captions = lessons.take(step)
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
        predicted, hidden = model(noisy, times, captions)
        reading = reading_loss(model, hidden, scenes)
    # A velocity's error is the picture's error times 1 + signal / noise.
    ratio = 1 / (1 - kept)
    weight = ratio.clamp(max=HIGHEST_WEIGHT) / ratio
    weight = weight * cell_weights(scenes, progress)
    loss: torch.Tensor = (weight * (predicted - target) ** 2).mean()
    return loss + READING_WEIGHT * reading


def start_run(model: Denoiser, *, folder: Path, steps: int, rate: float = 1e-3) -> Run:
    return Run(
        name="denoiser",
        folder=folder,
        model=model,
        optimizer=torch.optim.AdamW(
            model.parameters(), lr=rate, weight_decay=0.01, fused=True
        ),
        average=AveragedWeights(model, decay=0.997),
        schedule=Schedule(rate=rate, steps=steps),
    )


def train_denoiser(
    *,
    folder: Path,
    autoencoder: AutoencoderTiny,
    tokenizer: CLIPTokenizer,
    steps: int,
    judge: Callable[[Denoiser, float], dict[str, Any]],
) -> None:
    torch.manual_seed(0)
    lessons = Lessons.prepare(autoencoder, folder)
    model = Denoiser(tokenizer)
    noise = DDPMScheduler(**NOISE)

    def inspect(run: Run) -> dict[str, Any]:
        averaged = Denoiser(tokenizer).eval()
        run.average.copy_to(averaged)
        return judge(averaged, lessons.scaling_factor)

    def loss_of(step: int) -> torch.Tensor:
        return denoising_loss(model, noise, lessons, step, step / steps)

    train(start_run(model, folder=folder, steps=steps), loss_of, inspect)
