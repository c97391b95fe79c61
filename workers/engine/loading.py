"""From a checked checkpoint to a pipeline on the device.

Only the classes of the closed lists below are ever built; folders and files give
configurations and numbers, nothing that runs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import safetensors.torch
import torch
import transformers

from workers.engine import blueprints
from workers.engine.devices import DeviceFacts, Settings
from workers.engine.errors import ModelRefused
from workers.engine.facts import Source
from workers.engine.flux_layout import to_diffusers
from workers.engine.folders import COMPONENTS, Folder, read_component
from workers.engine.samplers import noise_config
from workers.engine.single_files import NEEDS, SingleFile

PIPELINES = {
    "sd15": "StableDiffusionPipeline",
    "sd21": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "flux": "FluxPipeline",
}
_NO_SAFETY: Mapping[str, Any] = {
    # Moderation is the product's task, not that of one base's optional part.
    "safety_checker": None,
    "feature_extractor": None,
    "requires_safety_checker": False,
}


@dataclass(slots=True)
class LoadedModel:
    """A pipeline on its device; `noise` feeds the schedulers made for each picture.

    `warmed` holds the (batch, height, width) for which blocks are compiled;
    `warming` is true while that happens.
    """

    pipeline: Any
    base: str
    format: str
    sha256: str
    device: DeviceFacts
    settings: Settings
    noise: Mapping[str, Any]
    offloaded: bool = False
    latent_map: torch.Tensor | None = None
    warmed: set[tuple[int, int, int]] = field(default_factory=set)
    warming: bool = False

    @property
    def denoiser(self) -> Any:
        """The UNet or transformer: the part that runs at every step."""
        return getattr(self.pipeline, "unet", None) or self.pipeline.transformer

    @property
    def vae_scale(self) -> int:
        """Pixels per latent cell, along each side."""
        return int(self.pipeline.vae_scale_factor)

    @property
    def size_multiple(self) -> int:
        """Width and height must be multiples of this many pixels."""
        if self.base == "flux":
            return 2 * self.vae_scale  # latents are packed two by two
        return max(8, self.vae_scale)  # the pipelines insist on 8


def quiet_libraries() -> None:
    """No progress bars or advice on a server's console."""
    for library in (diffusers, transformers):
        console: Any = library.utils.logging
        console.set_verbosity_error()
        console.disable_progress_bar()


def load_pipeline(
    source: Source, settings: Settings, companion: Path | None
) -> tuple[Any, dict[str, Any]]:
    """A pipeline in memory, in evaluation mode, and its noise configuration.

    `companion` is a diffusers-format folder of the same base that gives what a single
    file lacks (see single_files.NEEDS). Raises ModelRefused.
    """
    quiet_libraries()
    try:
        if isinstance(source, Folder):
            pipeline, noise = _from_folder(source, settings)
        else:
            pipeline, noise = _from_file(source, settings, companion)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise ModelRefused(
            f"it cannot be built: {type(error).__name__}: {str(error)[:300]}",
            code="weights_mismatch",
        ) from error
    _refuse_missing_weights(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, noise


def _from_folder(folder: Folder, settings: Settings) -> tuple[Any, dict[str, Any]]:
    noise = noise_config(folder.base, folder.scheduler)
    parts = {
        part.name: load_component(folder.path, part.name, part.class_name, settings)
        for part in folder.components.values()
    }
    if folder.base == "sdxl" and "force_zeros_for_empty_prompt" in folder.options:
        key = "force_zeros_for_empty_prompt"
        parts[key] = bool(folder.options[key])
    return _assemble(folder.base, parts, noise), noise


def _assemble(base: str, parts: Mapping[str, Any], noise: Mapping[str, Any]) -> Any:
    extra = _NO_SAFETY if base in ("sd15", "sd21") else {}
    pipeline_class = getattr(diffusers, PIPELINES[base])
    return pipeline_class(
        **parts, **extra, scheduler=placeholder_scheduler(base, noise)
    )


def placeholder_scheduler(base: str, noise: Mapping[str, Any]) -> Any:
    """What the pipeline holds until a pass brings its own scheduler."""
    name = "FlowMatchEulerDiscreteScheduler" if base == "flux" else "DDIMScheduler"
    return getattr(diffusers, name).from_config(dict(noise))


def load_component(path: Path, name: str, class_name: str, settings: Settings) -> Any:
    """One part of a folder; raises ModelRefused when a tensor is missing."""
    library = diffusers if hasattr(diffusers, class_name) else transformers
    if "Tokenizer" in class_name:
        # The fast and the slow name are one class by now; old folders say either.
        plain = class_name.removesuffix("Fast")
        return getattr(transformers, plain).from_pretrained(
            path / name, local_files_only=True
        )
    part = read_component(path, name, class_name)
    dtype = settings.vae_dtype if name == "vae" else settings.dtype
    model, loading = getattr(library, class_name).from_pretrained(
        path / name,
        dtype=dtype,
        variant=part.variant,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    absent = [*loading["missing_keys"], *loading["mismatched_keys"]]
    if absent:
        raise ModelRefused(
            f"{name} lacks {len(absent)} tensors, {absent[0]} among them",
            code="weights_mismatch",
        )
    return model.eval()


def _from_file(
    file: SingleFile, settings: Settings, companion: Path | None
) -> tuple[Any, dict[str, Any]]:
    given = _companion_parts(file, settings, companion)
    noise = noise_config(file.base, blueprints.noise_facts(file))
    if file.base == "flux":
        parts = {**given, "transformer": _flux_transformer(file, settings)}
        return _assemble(file.base, parts, noise), noise
    pipeline = _from_ldm(file, settings, given, noise)
    _check_tokenizers(pipeline)
    if "prediction_type" not in noise:
        noise["prediction_type"] = measure_prediction(pipeline.unet)
    return pipeline, noise


def _companion_parts(
    file: SingleFile, settings: Settings, companion: Path | None
) -> dict[str, Any]:
    needs = NEEDS[file.base]
    absent = [n for n in needs if companion is None or not (companion / n).is_dir()]
    if companion is None or absent:
        raise ModelRefused(
            f"a single file of {file.base} holds no {', '.join(absent)}: give a "
            "diffusers-format folder of this base that does",
            code="companion_missing",
        )
    classes = COMPONENTS[PIPELINES[file.base]]
    return {
        name: load_component(companion, name, min(classes[name]), settings)
        for name in needs
    }


def _from_ldm(
    file: SingleFile,
    settings: Settings,
    given: Mapping[str, Any],
    noise: Mapping[str, Any],
) -> Any:
    extra = _NO_SAFETY if file.base != "sdxl" else {}
    with tempfile.TemporaryDirectory(prefix="blueprint-") as folder:
        write_blueprint(file, Path(folder))
        pipeline = getattr(diffusers, PIPELINES[file.base]).from_single_file(
            str(file.path),
            config=folder,
            local_files_only=True,
            torch_dtype=settings.dtype,
            scheduler=placeholder_scheduler(file.base, noise),
            **given,
            **extra,
        )
    pipeline.vae.to(dtype=settings.vae_dtype)
    return pipeline


def write_blueprint(file: SingleFile, folder: Path) -> None:
    """The configurations that diffusers wants beside an LDM-layout file."""
    components = COMPONENTS[PIPELINES[file.base]]
    index: dict[str, Any] = {"_class_name": PIPELINES[file.base]}
    for name, classes in components.items():
        library = "diffusers" if name in ("unet", "vae") else "transformers"
        index[name] = [library, min(classes)]
    index["scheduler"] = ["diffusers", "DDIMScheduler"]
    configs = {
        "unet": blueprints.unet_config(file),
        "vae": blueprints.vae_config(file),
        **blueprints.text_configs(file),
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    for name, config in configs.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(config))


def _flux_transformer(file: SingleFile, settings: Settings) -> Any:
    config = blueprints.flux_config(file)
    with torch.device("meta"):
        model = getattr(diffusers, config["_class_name"]).from_config(config)
    weights = {
        name.removeprefix(file.prefix): tensor.to(settings.dtype)
        for name, tensor in safetensors.torch.load_file(file.path).items()
        if name.startswith(file.prefix)
    }
    if file.layout == "bfl":
        weights = to_diffusers(weights)
    model.load_state_dict(weights, strict=True, assign=True)
    return model.requires_grad_(requires_grad=False).eval()


def _check_tokenizers(pipeline: Any) -> None:
    for suffix in ("", "_2"):
        tokenizer = getattr(pipeline, f"tokenizer{suffix}", None)
        encoder = getattr(pipeline, f"text_encoder{suffix}", None)
        if tokenizer is None or encoder is None:
            continue
        if tokenizer.eos_token_id != encoder.config.eos_token_id:
            raise ModelRefused(
                "the companion's tokenizer ends texts otherwise than this encoder",
                code="companion_mismatch",
            )


def _refuse_missing_weights(pipeline: Any) -> None:
    """Loaders leave what a file lacks on the meta device, without an error."""
    for name, part in pipeline.components.items():
        if not isinstance(part, torch.nn.Module):
            continue
        for tensor_name, tensor in (*part.named_parameters(), *part.named_buffers()):
            if tensor.is_meta:
                raise ModelRefused(
                    f"{name} lacks tensor {tensor_name}", code="weights_mismatch"
                )


def measure_prediction(unet: Any) -> str:
    """Ask the UNet itself whether it predicts noise or velocity.

    At the last training step the input is all but pure noise. A model of the noise
    gives its input back; one of velocity gives nearly minus the picture, which
    has nothing to do with the input.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    config = unet.config
    noise = torch.randn(1, config.in_channels, 64, 64, generator=generator)
    noise = noise.to(device=unet.device, dtype=unet.dtype)
    text = torch.zeros(
        1, 77, config.cross_attention_dim, device=unet.device, dtype=unet.dtype
    )
    with torch.inference_mode():
        answer = unet(noise, 999, encoder_hidden_states=text).sample
    pair = torch.stack([noise.flatten().float(), answer.flatten().float()])
    likeness = torch.corrcoef(pair)[0, 1].item()
    return "epsilon" if likeness > 0.5 else "v_prediction"


def own_weights(pipeline: Any) -> None:
    """Copy weights out of the mapped file, onto the allocator's own boundaries.

    The last bits of a sum depend on where its operands lie in memory: mapped tensors
    lie where the file's header ends, so that the same weights in another file would
    draw other bytes. And a mapped file that is cut short kills the process.
    """
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            for tensor in (*part.parameters(), *part.buffers()):
                tensor.data = tensor.data.clone()


def place(model: LoadedModel) -> None:
    """Move a pipeline to its device with the layout that runs fastest there."""
    pipeline, settings = model.pipeline, model.settings
    if model.device.kind == "cpu":
        own_weights(pipeline)
    if settings.channels_last:
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
    if model.offloaded:
        pipeline.enable_model_cpu_offload(device=model.device.device)
    else:
        pipeline.to(model.device.device)
