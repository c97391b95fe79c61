"""Small pictures of an unfinished pass, from a linear map of its latents."""

from __future__ import annotations

import io
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image

from workers.engine.decoding import encode_latents, unpack
from workers.engine.loading import LoadedModel

logger = logging.getLogger(__name__)

INTERVAL = 0.25
LONGEST_SIDE = 256
JPEG_QUALITY = 80
_SAMPLES, _SIDE = 8, 128

OnPreview = Callable[[int, bytes], None]


def fit_latent_map(model: LoadedModel) -> torch.Tensor:
    """The best linear map from a latent cell to its mean colour, (channels + 1, 3).

    Made by least squares on what this very autoencoder does with smooth coloured
    fields, so that it fits any autoencoder; the last row is the constant. Colours
    run from -1 to 1.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.rand(_SAMPLES, 3, 4, 4, generator=generator) * 2 - 1
    fields = F.interpolate(coarse, size=(_SIDE, _SIDE), mode="bilinear")
    latents = encode_latents(model, fields).float().cpu()
    colours = F.adaptive_avg_pool2d(fields, (latents.shape[-2], latents.shape[-1]))
    cells = latents.movedim(1, -1).reshape(-1, latents.shape[1])
    cells = torch.cat([cells, torch.ones(len(cells), 1)], dim=1)
    targets = colours.movedim(1, -1).reshape(-1, 3)
    # A little ridge keeps channels that never vary from exploding.
    normal = cells.T @ cells + 1e-4 * len(cells) * torch.eye(cells.shape[1])
    solution: torch.Tensor = torch.linalg.solve(normal, cells.T @ targets)
    return solution


def paint(latents: torch.Tensor, latent_map: torch.Tensor) -> list[Image.Image]:
    """Latents (B, C, h, w) as pictures of at most 256 pixels a side."""
    cells = latents.float().cpu().movedim(1, -1)
    colours = cells @ latent_map[:-1] + latent_map[-1]
    pixels = ((colours + 1) * 127.5).nan_to_num(0).clamp(0, 255).round().byte()
    return [_enlarge(Image.fromarray(picture.numpy())) for picture in pixels]


def _enlarge(image: Image.Image) -> Image.Image:
    factor = LONGEST_SIDE / max(image.size)
    if factor <= 1:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        return image
    size = (max(1, int(image.width * factor)), max(1, int(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def to_jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def predicted_picture(
    sample: torch.Tensor,
    output: torch.Tensor,
    timestep: float,
    scheduler: Any,
    base: str,
) -> torch.Tensor:
    """The finished latents that the model expects at this step (its x0).

    `sample` and `output` are what the scheduler's step was given. The k-diffusion
    schedulers keep samples unscaled (x0 + sigma * noise), the others keep variance.
    """
    if base == "flux":
        return sample - timestep / 1000 * output
    table = scheduler.alphas_cumprod
    alpha = float(table[min(max(int(timestep), 0), len(table) - 1)])
    keep, noise = math.sqrt(max(alpha, 1e-4)), math.sqrt(1 - min(alpha, 1.0))
    if float(scheduler.init_noise_sigma) != 1:
        sample = sample * keep
    if scheduler.config.prediction_type == "v_prediction":
        return keep * sample - noise * output
    if scheduler.config.prediction_type == "sample":
        return output
    return (sample - noise * output) / keep


@dataclass(frozen=True, slots=True)
class _Snapshot:
    latents: torch.Tensor
    ready: torch.cuda.Event | None


class PreviewPainter:
    """Paints on its own thread, latest wins, at most four times a second.

    `offer` is called on the denoising thread and only copies small tensors.
    `on_preview` is called on the painter's thread with the picture's index and JPEG
    bytes; an exception from it ends the previews, never the pass.
    """

    def __init__(
        self, model: LoadedModel, on_preview: OnPreview, height: int, width: int
    ) -> None:
        if model.latent_map is None:
            model.latent_map = fit_latent_map(model)
        self._model = model
        self._map = model.latent_map
        self._on_preview = on_preview
        self._size = height, width
        self._first_index = 0
        self._next = 0.0
        self._slot: tuple[int, _Snapshot] | None = None
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)
        self._thread.start()

    def due(self) -> bool:
        return not self._closed and time.monotonic() >= self._next

    def offer(self, latents: torch.Tensor, first_index: int) -> None:
        """Leave a copy of the latents for painting; a waiting older one is dropped."""
        self._next = time.monotonic() + INTERVAL
        ready = None
        copy = latents.detach().clone()
        if copy.is_cuda:
            ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
            ready.record()
        with self._wake:
            self._slot = (first_index, _Snapshot(copy, ready))
            self._wake.notify()

    def close(self) -> None:
        """Drop what waits and return when nothing more will be sent."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._slot is None and not self._closed:
                    self._wake.wait()
                if self._closed or self._slot is None:
                    return
                first_index, snapshot = self._slot
                self._slot = None
            try:
                self._send(first_index, snapshot)
            except Exception:  # previews are a courtesy: the pass goes on
                logger.exception("previews end here; the pass goes on")
                self._closed = True

    def _send(self, first_index: int, snapshot: _Snapshot) -> None:
        if snapshot.ready is not None:
            snapshot.ready.synchronize()
        latents = unpack(self._model, snapshot.latents, *self._size)
        for offset, image in enumerate(paint(latents, self._map)):
            if self._closed:
                return
            self._on_preview(first_index + offset, to_jpeg(image))
