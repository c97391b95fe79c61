"""The autoencoder: 128 x 128 pixels to 8 x 8 latents of 16 channels and back.

`AutoencoderTiny` has no normalisation, so a flat colour stays a number that passes
through; it is started as a plain average of blocks of pixels, colours right from the
first step, and learns the outlines on top of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import nn

from workers.starter.examination import mark_pictures, shares
from workers.starter.scenes import (
    SIDE,
    Scene,
    draw_scenes,
    object_mask,
    render_scenes,
)
from workers.starter.sheets import save_sheet
from workers.starter.training import (
    AveragedWeights,
    Run,
    Schedule,
    load_average,
    train,
)

LATENT_CHANNELS = 16
STAGES = 5
ENCODER_WIDTH = 32
DECODER_WIDTH = 48
BATCH = 16
# Most steps see square cuts around objects, four times as many for the same work.
CUT = SIDE // 2
WHOLE_EVERY = 4
# Raw colours lie in 0 to 1 with about this mean and spread.
COLOUR_MEAN, COLOUR_SPREAD = 0.47, 0.33
# Noise on the latents in training, in units of their spread: the denoiser is never
# exact, and pictures must not depend on what it cannot hit.
LATENT_NOISE = 0.1
MOMENTS_WEIGHT = 0.01
OBJECT_WEIGHT = 3.0
EDGE_WEIGHT = 4.0
PREVIEWS = 32


def build_autoencoder() -> AutoencoderTiny:
    model = AutoencoderTiny(
        encoder_block_out_channels=(ENCODER_WIDTH,) * STAGES,
        decoder_block_out_channels=(DECODER_WIDTH,) * STAGES,
        num_encoder_blocks=(0, 0, 1, 2, 2),
        num_decoder_blocks=(2, 2, 2, 1, 0),
        latent_channels=LATENT_CHANNELS,
    )
    start_as_block_average(model)
    return model


def plain_convolutions(layers: nn.Sequential) -> Iterator[nn.Conv2d]:
    return (layer for layer in layers if isinstance(layer, nn.Conv2d))


def carry_colours(conv: nn.Conv2d, scale: float, shift: float = 0.0) -> None:
    """Let the first three channels pass, averaging 2 x 2 where the stride is 2."""
    conv.weight[:3] = 0
    for channel in range(3):
        if conv.stride == (2, 2):
            conv.weight[channel, channel, 1:, 1:] = scale / 4
        else:
            conv.weight[channel, channel, 1, 1] = scale
        if conv.bias is not None:
            conv.bias[channel] = shift


@torch.no_grad()
def start_as_block_average(model: AutoencoderTiny) -> None:
    encoding = list(plain_convolutions(model.encoder.layers))
    decoding = list(plain_convolutions(model.decoder.layers))
    for conv in encoding[:-1]:
        carry_colours(conv, 1)
    carry_colours(encoding[-1], 1 / COLOUR_SPREAD, -COLOUR_MEAN / COLOUR_SPREAD)
    carry_colours(decoding[0], COLOUR_SPREAD, COLOUR_MEAN)
    for conv in decoding[1:]:
        carry_colours(conv, 1)
    for half in (model.encoder, model.decoder):
        for layer in half.layers:
            if hasattr(layer, "fuse"):
                layer.conv[-1].weight[:3] *= 0.05
                layer.conv[-1].bias[:3] = 0


def to_tensor(pictures: np.ndarray[Any, Any]) -> torch.Tensor:
    """RGB bytes (N, H, W, 3) to floats from -1 to 1 (N, 3, H, W), channels last."""
    values = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    return values.div_(127.5).sub_(1)


def to_pictures(values: torch.Tensor) -> np.ndarray[Any, Any]:
    """The inverse of `to_tensor`."""
    pixels = values.float().add(1).mul(127.5).round().clamp(0, 255)
    return pixels.byte().permute(0, 2, 3, 1).numpy()


def contrast(scene: Scene) -> float:
    difference = np.subtract(scene.object_rgb, scene.background_rgb)
    return float(np.linalg.norm(difference))


def pixel_weights(scenes: list[Scene]) -> torch.Tensor:
    """More for the object than for its background, most for its outline.

    Faint objects count as much as strong ones, whose errors are larger numbers.
    """
    masks = torch.from_numpy(np.stack([object_mask(scene) for scene in scenes]))
    masks = masks[:, None]
    high = nn.functional.max_pool2d(masks, 3, stride=1, padding=1)
    low = -nn.functional.max_pool2d(-masks, 3, stride=1, padding=1)
    faintness = [min(4.0, 200 / contrast(scene)) for scene in scenes]
    weights = OBJECT_WEIGHT * masks + EDGE_WEIGHT * (high - low)
    return 1 + weights * torch.tensor(faintness)[:, None, None, None]


def cut_around(
    scenes: list[Scene], planes: torch.Tensor, rng: np.random.Generator
) -> torch.Tensor:
    """A square of CUT pixels a side from each plane, near its object."""
    cuts = []
    for scene, plane in zip(scenes, planes, strict=True):
        stray = rng.integers(-scene.radius, scene.radius + 1, size=2)
        left = int(np.clip(scene.x + stray[0] - CUT // 2, 0, SIDE - CUT))
        top = int(np.clip(scene.y + stray[1] - CUT // 2, 0, SIDE - CUT))
        cuts.append(plane[:, top : top + CUT, left : left + CUT])
    return torch.stack(cuts).contiguous(memory_format=torch.channels_last)


def moments_loss(latents: torch.Tensor) -> torch.Tensor:
    """How far each channel is from mean 0 and spread 1, what a denoiser likes best."""
    spread, mean = torch.std_mean(latents, dim=(0, 2, 3))
    return (mean**2 + (spread - 1) ** 2).mean()


def draw_batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (N, 3, H, W) and the weights of their pixels (N, 1, H, W)."""
    whole = step % WHOLE_EVERY == 0
    scenes = draw_scenes(count=BATCH if whole else 4 * BATCH, seed=1000 + step)
    planes = torch.cat([to_tensor(render_scenes(scenes)), pixel_weights(scenes)], 1)
    if not whole:
        planes = cut_around(scenes, planes, np.random.default_rng(step))
    return planes[:, :3], planes[:, 3:]


def reconstruction_loss(
    model: AutoencoderTiny, step: int, *, frozen_encoder: bool = False
) -> torch.Tensor:
    pictures, weights = draw_batch(step)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.set_grad_enabled(not frozen_encoder):
            latents = model.encode(pictures).latents
        noisy = latents + LATENT_NOISE * torch.randn_like(latents)
        error: torch.Tensor = (model.decode(noisy).sample.float() - pictures).abs()
    weighted: torch.Tensor = (weights * (error + 2 * error**2)).mean()
    if not frozen_encoder:
        weighted += MOMENTS_WEIGHT * moments_loss(latents.float())
    return weighted


@torch.no_grad()
def inspect(model: AutoencoderTiny, run: Run) -> dict[str, Any]:
    """Errors in levels of 255, what the judge still recognises, a picture to see."""
    scenes = draw_scenes(count=PREVIEWS, seed=1, held_out=True)
    originals = render_scenes(scenes)
    latents = model.encode(to_tensor(originals)).latents
    restored = to_pictures(model.decode(latents).sample)
    masks = np.stack([object_mask(scene) for scene in scenes])[..., None]
    error = np.abs(restored.astype(float) - originals)
    pairs = np.stack([originals, restored], axis=1).reshape(-1, *originals.shape[1:])
    save_sheet(run.folder / f"{run.name}.png", pairs, columns=8)
    return {
        "object_error": round(float((error * masks).sum() / masks.sum() / 3), 2),
        "background_error": round(
            float((error * (1 - masks)).sum() / (1 - masks).sum() / 3), 2
        ),
        "latent_spread": [round(s, 2) for s in latents.std(dim=(0, 2, 3)).tolist()],
        **shares(mark_pictures(scenes, restored)),
    }


def start_run(
    name: str, part: nn.Module, *, folder: Path, steps: int, rate: float
) -> Run:
    return Run(
        name=name,
        folder=folder,
        model=part,
        optimizer=torch.optim.AdamW(part.parameters(), lr=rate, weight_decay=1e-4),
        average=AveragedWeights(part, decay=0.995),
        schedule=Schedule(rate=rate, steps=steps),
    )


def train_autoencoder(*, folder: Path, steps: int, rate: float = 1.5e-3) -> None:
    torch.manual_seed(0)
    model = build_autoencoder().to(memory_format=torch.channels_last)
    run = start_run("autoencoder", model, folder=folder, steps=steps, rate=rate)

    def judge(run: Run) -> dict[str, Any]:
        averaged = build_autoencoder().eval()
        run.average.copy_to(averaged)
        return inspect(averaged, run)

    train(run, lambda step: reconstruction_loss(model, step), judge)


def polish_decoder(*, folder: Path, steps: int, rate: float = 6e-4) -> None:
    """Train the decoder alone: the latents, and what learnt from them, stay valid."""
    torch.manual_seed(0)
    model = load_autoencoder(folder).to(memory_format=torch.channels_last)
    run = start_run("decoder", model.decoder, folder=folder, steps=steps, rate=rate)

    def judge(run: Run) -> dict[str, Any]:
        averaged = load_autoencoder(folder)
        run.average.copy_to(averaged.decoder)
        return inspect(averaged, run)

    train(
        run,
        # Scenes that the first training did not see.
        lambda step: reconstruction_loss(model, 10**6 + step, frozen_encoder=True),
        judge,
    )


def load_autoencoder(folder: Path) -> AutoencoderTiny:
    """The averaged autoencoder of a folder, with its polished decoder if any."""
    model = build_autoencoder()
    load_average(model, folder / "autoencoder.pt")
    if (folder / "decoder.pt").exists():
        load_average(model.decoder, folder / "decoder.pt")
    return model.eval()
