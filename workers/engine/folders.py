"""A diffusers-format folder, read by its configurations and tensor headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.engine.errors import ModelRefused
from workers.engine.tensors import Header, read_header

MAX_CONFIG = 4 * 1024 * 1024
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")

_CLIP_TOKENIZER = frozenset({"CLIPTokenizer", "CLIPTokenizerFast"})
_T5_TOKENIZER = frozenset({"T5Tokenizer", "T5TokenizerFast"})
_VAE = frozenset({"AutoencoderKL", "AutoencoderTiny"})
_STABLE_DIFFUSION = {
    "unet": frozenset({"UNet2DConditionModel"}),
    "vae": _VAE,
    "text_encoder": frozenset({"CLIPTextModel"}),
    "tokenizer": _CLIP_TOKENIZER,
}
# Every class that may be built, by pipeline: nothing named by a folder is imported
# unless it stands here.
COMPONENTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "StableDiffusionPipeline": _STABLE_DIFFUSION,
    "StableDiffusionXLPipeline": {
        **_STABLE_DIFFUSION,
        "text_encoder_2": frozenset({"CLIPTextModelWithProjection"}),
        "tokenizer_2": _CLIP_TOKENIZER,
    },
    "FluxPipeline": {
        "transformer": frozenset({"FluxTransformer2DModel"}),
        "vae": frozenset({"AutoencoderKL"}),
        "text_encoder": frozenset({"CLIPTextModel"}),
        "text_encoder_2": frozenset({"T5EncoderModel"}),
        "tokenizer": _CLIP_TOKENIZER,
        "tokenizer_2": _T5_TOKENIZER,
    },
}
# Parts of a folder that the engine leaves alone.
IGNORED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
DENOISER = {"StableDiffusionPipeline": "unet", "StableDiffusionXLPipeline": "unet"}
_INPUT_LAYER = {"unet": "conv_in.weight", "transformer": "x_embedder.weight"}


@dataclass(frozen=True, slots=True)
class Component:
    """One subfolder: its class, its configuration and the weight files to load."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    files: tuple[Path, ...]
    variant: str | None
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path
    pipeline: str
    options: Mapping[str, Any]
    components: Mapping[str, Component]
    scheduler: Mapping[str, Any]

    @property
    def denoiser(self) -> Component:
        return self.components[DENOISER.get(self.pipeline, "transformer")]

    @property
    def base(self) -> str:
        return detect_base(self)


def read_folder(path: Path) -> Folder:
    """Read and check a folder; raises ModelRefused with the reason."""
    index = read_json(path / "model_index.json")
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or pipeline not in COMPONENTS:
        raise ModelRefused(
            f"pipeline {pipeline!r} is not supported", code="unsupported_pipeline"
        )
    _refuse_code(path)
    known = COMPONENTS[pipeline]
    _refuse_strangers(index, known)
    folder = Folder(
        path=path,
        pipeline=pipeline,
        options={k: v for k, v in index.items() if not isinstance(v, list)},
        components={
            name: read_component(path, name, _named_class(index, name, allowed))
            for name, allowed in known.items()
        },
        scheduler=read_json(path / "scheduler" / "scheduler_config.json"),
    )
    _check_shapes(folder)
    return folder


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object; raises ModelRefused when it is none."""
    try:
        if path.stat().st_size > MAX_CONFIG:
            raise ValueError("it is too large")
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelRefused(
            f"{path.parent.name}/{path.name} is missing", code="config_missing"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(
            f"{path.parent.name}/{path.name} cannot be read", code="config_unreadable"
        ) from error
    if not isinstance(value, dict):
        raise ModelRefused(f"{path.name} is no object", code="config_unreadable")
    if "auto_map" in value:
        raise _remote_code(f"{path.parent.name}/{path.name}")
    return value


def _remote_code(what: str) -> ModelRefused:
    return ModelRefused(f"{what} asks to run its own code", code="remote_code")


def _refuse_code(path: Path) -> None:
    for file in path.rglob("*.py"):
        raise _remote_code(str(file.relative_to(path)))


def _refuse_strangers(index: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name, value in index.items():
        if not isinstance(value, list) or name in known or name in IGNORED:
            continue
        if name != "scheduler" and value != [None, None]:
            raise ModelRefused(
                f"component {name!r} is not supported", code="unsupported_component"
            )


def _named_class(index: Mapping[str, Any], name: str, allowed: frozenset[str]) -> str:
    entry = index.get(name)
    if not isinstance(entry, list) or len(entry) != 2 or entry[1] is None:
        raise ModelRefused(f"{name} is missing", code="component_missing")
    library, class_name = entry
    if library not in ("diffusers", "transformers"):
        raise _remote_code(f"component {name!r}")
    if class_name not in allowed:
        raise ModelRefused(
            f"{name} is a {class_name}, not one of {', '.join(sorted(allowed))}",
            code="unsupported_component",
        )
    return str(class_name)


def read_component(path: Path, name: str, class_name: str) -> Component:
    """One component's configuration and headers; tokenizers have no weights."""
    folder = path / name
    if "Tokenizer" in class_name:
        if not folder.is_dir():
            raise ModelRefused(f"{name} is missing", code="component_missing")
        for file in folder.glob("*config.json"):
            read_json(file)
        return Component(name, class_name, {}, (), None, ())
    config = read_json(folder / "config.json")
    files, variant = weight_files(folder)
    headers = tuple(read_header(file) for file in files)
    return Component(name, class_name, config, files, variant, headers)


def weight_files(folder: Path) -> tuple[tuple[Path, ...], str | None]:
    """The files to load of a component and their variant; raises ModelRefused."""
    for stem in ("diffusion_pytorch_model", "model"):
        for variant in (None, "fp16", "bf16"):
            tail = f".{variant}" if variant else ""
            single = folder / f"{stem}{tail}.safetensors"
            if single.is_file():
                return (single,), variant
            index = folder / f"{stem}.safetensors.index{tail}.json"
            if index.is_file():
                return _shards(index), variant
    if any(file.suffix in PICKLES for file in folder.iterdir()):
        raise ModelRefused(
            f"{folder.name} has pickled weights only; safetensors are needed",
            code="pickle_weights",
        )
    raise ModelRefused(f"{folder.name} has no weights", code="weights_missing")


def _shards(index: Path) -> tuple[Path, ...]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise ModelRefused(f"{index.name} names no files", code="config_unreadable")
    files = []
    for name in sorted({str(value) for value in weight_map.values()}):
        file = index.parent / name
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelRefused(
                f"{index.name} names {name!r}, which is no file beside it",
                code="pickle_weights" if name.endswith(PICKLES) else "damaged_file",
            )
        if not file.is_file():
            raise ModelRefused(f"{name} is missing", code="weights_missing")
        files.append(file)
    return tuple(files)


def _check_shapes(folder: Folder) -> None:
    """The denoiser's tensors and the other configurations must fit together."""
    denoiser = folder.denoiser
    layer = _INPUT_LAYER[denoiser.name]
    shapes = [h.tensors[layer].shape for h in denoiser.headers if layer in h.tensors]
    channels = denoiser.config.get("in_channels")
    if not shapes or len(shapes[0]) < 2 or shapes[0][1] != channels:
        raise ModelRefused(
            f"{layer} does not fit {denoiser.name}'s configuration",
            code="weights_mismatch",
        )
    latent = latent_channels(folder.components["vae"].config)
    expected = 4 * latent if denoiser.name == "transformer" else latent
    if channels != expected:
        raise ModelRefused(
            f"{denoiser.name} takes {channels} channels, text to image needs "
            f"{expected}: this is an inpainting or editing variant",
            code="unsupported_variant",
        )


def latent_channels(config: Mapping[str, Any]) -> int:
    """Channels of a latent; both autoencoders use the name, 4 is their default."""
    value = config.get("latent_channels", 4)
    return value if isinstance(value, int) else 0


def detect_base(folder: Folder) -> str:
    """sd15, sd21, sdxl or flux.

    The second generation of Stable Diffusion reads OpenCLIP's 1,024 wide text and
    projects with linear layers, the first CLIP's 768 with convolutions. Other widths
    (small models) are told apart by the projection.
    """
    if folder.pipeline == "FluxPipeline":
        return "flux"
    if folder.pipeline == "StableDiffusionXLPipeline":
        return "sdxl"
    config = folder.denoiser.config
    width = config.get("cross_attention_dim")
    if width in (768, 1024):
        return "sd15" if width == 768 else "sd21"
    return "sd21" if config.get("use_linear_projection") else "sd15"
