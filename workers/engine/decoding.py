"""Between pictures and latents, the way each base's autoencoder wants it."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from workers.engine.loading import LoadedModel

# Darker than this everywhere is no picture: what a decoder makes of NaN is 0.
BLACK = 2


def unpack(
    model: LoadedModel, latents: torch.Tensor, height: int, width: int
) -> torch.Tensor:
    """Latents as (B, C, h, w); Flux keeps them as (B, h/2 * w/2, 4C)."""
    if model.base != "flux":
        return latents
    batch, _, packed = latents.shape
    rows = height // model.size_multiple
    columns = width // model.size_multiple
    grid = latents.view(batch, rows, columns, packed // 4, 2, 2)
    grid = grid.permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(batch, packed // 4, rows * 2, columns * 2)


def decode_latents(
    model: LoadedModel, latents: torch.Tensor, height: int, width: int
) -> torch.Tensor:
    """Pixels (B, 3, height, width), nominally from -1 to 1, of the denoised latents."""
    vae = model.pipeline.vae
    grid = unpack(model, latents, height, width)
    grid = _unscale(vae.config, grid).to(vae.dtype)
    with torch.inference_mode():
        pixels: torch.Tensor = vae.decode(grid, return_dict=False)[0]
    return pixels


def encode_latents(model: LoadedModel, pixels: torch.Tensor) -> torch.Tensor:
    """Latents (B, C, h, w) of pixels from -1 to 1, in the denoiser's own scale."""
    vae = model.pipeline.vae
    device = model.device.device
    with torch.inference_mode():
        encoded = vae.encode(pixels.to(device=device, dtype=vae.dtype))
    if hasattr(encoded, "latent_dist"):
        return _scale(vae.config, encoded.latent_dist.mean)
    return _scale(vae.config, encoded.latents)


def _statistics(
    config: Any, latents: torch.Tensor
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if mean is None or deviation is None:
        return None, None
    shape = (1, -1, 1, 1)
    return (
        torch.tensor(mean).view(shape).to(latents.device, latents.dtype),
        torch.tensor(deviation).view(shape).to(latents.device, latents.dtype),
    )


def _unscale(config: Any, latents: torch.Tensor) -> torch.Tensor:
    factor: float = config.scaling_factor
    mean, deviation = _statistics(config, latents)
    if mean is not None and deviation is not None:
        return latents * deviation / factor + mean
    shift: float = config.get("shift_factor") or 0.0
    return latents / factor + shift if shift else latents / factor


def _scale(config: Any, latents: torch.Tensor) -> torch.Tensor:
    factor: float = config.scaling_factor
    mean, deviation = _statistics(config, latents)
    if mean is not None and deviation is not None:
        return (latents - mean) * factor / deviation
    shift: float = config.get("shift_factor") or 0.0
    return (latents - shift) * factor


def broken_latents(latents: torch.Tensor) -> list[bool]:
    """For each picture of the batch, whether NaN or infinity crept in."""
    sound = torch.isfinite(latents).flatten(1).all(dim=1)
    return [not bool(flag) for flag in sound.tolist()]


def to_images(model: LoadedModel, pixels: torch.Tensor) -> list[Image.Image]:
    """8-bit pictures, rounded exactly as diffusers rounds them."""
    images: list[Image.Image] = model.pipeline.image_processor.postprocess(
        pixels, output_type="pil"
    )
    return images


def is_black(image: Image.Image) -> bool:
    extrema = image.convert("RGB").getextrema()
    return all(high <= BLACK for _, high in extrema)  # type: ignore[misc]
