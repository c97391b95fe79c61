"""What a picture's record says, so that the same bytes can be made again."""

from __future__ import annotations

import platform
from typing import Any

import diffusers
import torch
import transformers

from pingvas.recipe.settings import PROMPTS
from workers.engine.loading import LoadedModel
from workers.engine.samplers import SAMPLERS
from workers.engine.specs import PassSpec

# Raised whenever the engine itself changes what a job's bytes are.
ENGINE_VERSION = 1


def make_record(
    model: LoadedModel, spec: PassSpec, batch_sizes: tuple[int, ...]
) -> dict[str, Any]:
    """JSON-ready facts: model, request, hardware class and software versions.

    The prompt is the job's own and is not repeated here.
    """
    return {
        "engine": ENGINE_VERSION,
        "model": {"sha256": model.sha256, "base": model.base, "format": model.format},
        "request": {
            **_settings(spec),
            "scheduler": SAMPLERS[model.base][spec.sampler].scheduler,
            "prediction_type": model.noise.get("prediction_type"),
            "seeds": list(spec.seeds),
        },
        "batch_sizes": list(batch_sizes),
        "hardware": _hardware(model, spec, batch_sizes),
        "software": {
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
    }


def _settings(spec: PassSpec) -> dict[str, Any]:
    facts = spec.facts()
    return {name: value for name, value in facts.items() if name not in PROMPTS}


def _hardware(
    model: LoadedModel, spec: PassSpec, batch_sizes: tuple[int, ...]
) -> dict[str, Any]:
    settings = model.settings
    return {
        "class": model.device.hardware_class,
        # A processor's sums are split over its threads.
        "threads": torch.get_num_threads() if model.device.kind == "cpu" else None,
        "dtype": _plain(settings.dtype),
        "vae_dtype": _plain(settings.vae_dtype),
        "attention": "sdpa",
        "channels_last": settings.channels_last,
        "offloaded": model.offloaded,
        "compiled": [
            (batch, spec.height, spec.width) in model.warmed for batch in batch_sizes
        ],
    }


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
