"""The side of the pictures a checkpoint was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingvas.recipe.settings import SETTINGS
from workers.engine import blueprints
from workers.engine.folders import Folder
from workers.engine.single_files import SingleFile

# The transformer has no size of its own; its pictures were about a megapixel.
FLUX_SIDE = 1024
# The second Stable Diffusion exists twice: velocity at 768 pixels, noise at 512.
SD21_NOISE_SAMPLE = 64
MOST_LEVELS = 8


def native_side(source: Folder | SingleFile) -> int | None:
    """Pixels; None when the configurations do not say or say nothing sensible."""
    if source.base == "flux":
        return FLUX_SIDE
    if isinstance(source, Folder):
        side = _side(source.denoiser.config, source.components["vae"].config)
    else:
        side = _side(_file_unet(source), blueprints.vae_config(source))
    return side if SETTINGS["width"].allows(side) else None


def _side(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> int:
    """0 when one of the two does not say its part."""
    sample = unet.get("sample_size")
    if isinstance(sample, list) and sample:
        sample = sample[0]
    levels = vae.get("block_out_channels") or vae.get("encoder_block_out_channels")
    if type(sample) is not int or not isinstance(levels, list):
        return 0
    if len(levels) > MOST_LEVELS:
        return 0
    return sample * int(2 ** (len(levels) - 1))


def _file_unet(file: SingleFile) -> dict[str, Any]:
    config = blueprints.unet_config(file)
    if file.base == "sd21":
        noise = blueprints.noise_facts(file)
        if noise.get("prediction_type") == "epsilon":
            return {**config, "sample_size": SD21_NOISE_SAMPLE}
    return config
