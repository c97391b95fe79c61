"""A single-file safetensors checkpoint, recognised by the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workers.engine.errors import ModelRefused
from workers.engine.tensors import Header, TensorInfo, read_header

Layout = Literal["ldm", "bfl", "diffusers"]

UNET = "model.diffusion_model."
_LDM_INPUT = f"{UNET}input_blocks.0.0.weight"
_BFL_INPUT = "img_in.weight"
_BFL_BLOCK = "double_blocks.0.img_attn.qkv.weight"
_DIFFUSERS_FLUX = "single_transformer_blocks.0.proj_mlp.weight"
# Packed weights need their own arithmetic, which plain layers do not have.
_QUANTISED = (".absmax", ".quant_map", ".scale_weight", "scaled_fp8", ".weight_scale")
# What a folder given by the caller must hold, since a file holds no tokenizer.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "sd15": ("tokenizer",),
    "sd21": ("tokenizer",),
    "sdxl": ("tokenizer", "tokenizer_2"),
    "flux": ("tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2", "vae"),
}
_STRANGERS = (
    ("lora_", "a LoRA, not a whole checkpoint"),
    (".lora_", "a LoRA, not a whole checkpoint"),
    ("control_model.", "a ControlNet"),
    ("joint_blocks.", "Stable Diffusion 3"),
    ("double_stream_modulation", "Flux 2"),
    ("distilled_guidance_layer", "Chroma"),
)


@dataclass(frozen=True, slots=True)
class SingleFile:
    """`prefix` stands before the denoiser's names."""

    path: Path
    base: str
    layout: Layout
    prefix: str
    header: Header

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that must exist; raises ModelRefused."""
        try:
            return self.header.tensors[name].shape
        except KeyError as error:
            raise ModelRefused(
                f"tensor {name} is missing", code="incomplete_checkpoint"
            ) from error

    def denoiser(self) -> dict[str, TensorInfo]:
        """The denoiser's tensors by their names without the prefix."""
        return {
            name.removeprefix(self.prefix): info
            for name, info in self.header.tensors.items()
            if name.startswith(self.prefix)
        }


def read_single_file(path: Path) -> SingleFile:
    """Recognise a checkpoint; raises ModelRefused with the reason."""
    if path.suffix != ".safetensors":
        raise ModelRefused(
            f"{path.name} is no safetensors file; other formats can run code",
            code="pickle_weights",
        )
    header = read_header(path)
    _refuse_known_strangers(header)
    if _LDM_INPUT in header.tensors:
        return _stable_diffusion(path, header)
    if flux := _flux(path, header):
        return flux
    raise ModelRefused(
        f"{path.name} is no checkpoint of sd15, sd21, sdxl or flux",
        code="unsupported_architecture",
    )


def _refuse_known_strangers(header: Header) -> None:
    for name in header.tensors:
        if any(part in name for part in _QUANTISED):
            raise ModelRefused(
                "its weights are quantised, which is not supported",
                code="unsupported_variant",
            )
        for part, what in _STRANGERS:
            if name.startswith(part) or (f".{part}" in f".{name}"):
                raise ModelRefused(f"it is {what}", code="unsupported_architecture")


def _stable_diffusion(path: Path, header: Header) -> SingleFile:
    names = header.tensors.keys()
    if any(n.startswith("conditioner.embedders.1.model.") for n in names):
        base = "sdxl"
    elif any(n.startswith("conditioner.") for n in names):
        raise ModelRefused("it is an SDXL refiner", code="unsupported_variant")
    elif any(n.startswith("cond_stage_model.model.") for n in names):
        base = "sd21"
    elif any(n.startswith("cond_stage_model.transformer.text_model.") for n in names):
        base = "sd15"
    else:
        raise ModelRefused("it has no text encoder", code="incomplete_checkpoint")
    file = SingleFile(path, base, "ldm", UNET, header)
    latent = file.shape("first_stage_model.decoder.conv_in.weight")[1]
    _check_channels(file.shape(_LDM_INPUT)[1], latent)
    return file


def _check_channels(found: int, expected: int) -> None:
    if found != expected:
        raise ModelRefused(
            f"it takes {found} channels, text to image needs {expected}: this is an "
            "inpainting or editing variant",
            code="unsupported_variant",
        )


def _flux(path: Path, header: Header) -> SingleFile | None:
    for prefix in ("", UNET):
        if prefix + _BFL_BLOCK in header.tensors:
            file = SingleFile(path, "flux", "bfl", prefix, header)
            _check_channels(file.shape(prefix + _BFL_INPUT)[1], 64)
            return file
    if _DIFFUSERS_FLUX in header.tensors:
        file = SingleFile(path, "flux", "diffusers", "", header)
        _check_channels(file.shape("x_embedder.weight")[1], 64)
        return file
    return None
