"""Configurations for single-file checkpoints, derived from their tensors.

A checkpoint in one file says nothing of its architecture but the shapes of its
tensors. The four bases fix the rest (head sizes, activations, noise), which stands
here; widths and depths come from the file. Numbers of the true models: see the
Stable Diffusion 1 and 2 configurations of CompVis and Stability AI, SDXL's report
(arXiv:2307.01952) and Black Forest Labs' published model parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from workers.engine.errors import ModelRefused
from workers.engine.single_files import UNET, SingleFile

VAE = "first_stage_model."
HEAD = 64
FLUX_ROPE = (16, 56, 56)
SCALING = {"sd15": 0.18215, "sd21": 0.18215, "sdxl": 0.13025}
_LDM_NOISE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "set_alpha_to_one": False,
    "timestep_spacing": "leading",
}


def count_indexes(file: SingleFile, pattern: str) -> int:
    """How many consecutive numbers from 0 fill the pattern's one group."""
    found = {
        int(match[1])
        for name in file.header.tensors
        if (match := re.match(pattern, name))
    }
    count = 0
    while count in found:
        count += 1
    return count


def unet_config(file: SingleFile) -> dict[str, Any]:
    """diffusers' configuration of the UNet in an LDM-layout file."""
    levels = _unet_levels(file)
    channels = [width for width, _, _ in levels]
    attention = [depth > 0 for _, _, depth in levels]
    config: dict[str, Any] = {
        "_class_name": "UNet2DConditionModel",
        "in_channels": file.shape(f"{UNET}input_blocks.0.0.weight")[1],
        "out_channels": file.shape(f"{UNET}out.2.weight")[0],
        "block_out_channels": channels,
        "layers_per_block": levels[0][1],
        "down_block_types": [_block("Down", flag) for flag in attention],
        "up_block_types": [_block("Up", flag) for flag in reversed(attention)],
        "cross_attention_dim": _context_width(file),
        "transformer_layers_per_block": [max(depth, 1) for _, _, depth in levels],
        "attention_head_dim": 8,
        "sample_size": 64,
    }
    return {**config, **_unet_generation(file, channels)}


def _block(direction: str, attention: bool) -> str:
    return f"CrossAttn{direction}Block2D" if attention else f"{direction}Block2D"


def _unet_generation(file: SingleFile, channels: list[int]) -> dict[str, Any]:
    """What sd21 and sdxl do otherwise than sd15."""
    if file.base == "sd15":
        return {}
    config: dict[str, Any] = {
        # The name is historical: it is the number of heads at each level.
        "attention_head_dim": [width // HEAD for width in channels],
        "use_linear_projection": True,
    }
    if file.base == "sd21":
        return {**config, "sample_size": 96, "upcast_attention": True}
    return {
        **config,
        "sample_size": 128,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": file.shape(
            f"{UNET}label_emb.0.0.weight"
        )[1],
    }


def _unet_levels(file: SingleFile) -> list[tuple[int, int, int]]:
    """(channels, residual layers, transformer depth) of each resolution."""
    levels: list[tuple[int, int, int]] = []
    width = layers = depth = 0
    for index in range(1, count_indexes(file, rf"{UNET}input_blocks\.(\d+)\.")):
        block = f"{UNET}input_blocks.{index}"
        if f"{block}.0.op.weight" in file.header.tensors:
            levels.append((width, layers, depth))
            layers = depth = 0
            continue
        width = file.shape(f"{block}.0.out_layers.3.weight")[0]
        layers += 1
        depth = count_indexes(file, rf"{block}\.1\.transformer_blocks\.(\d+)\.")
    return [*levels, (width, layers, depth)]


def _context_width(file: SingleFile) -> int:
    for name, info in file.header.tensors.items():
        if name.startswith(UNET) and name.endswith("attn2.to_k.weight"):
            return info.shape[1]
    raise ModelRefused("it never looks at the text", code="incomplete_checkpoint")


def vae_config(file: SingleFile) -> dict[str, Any]:
    """diffusers' configuration of the autoencoder in an LDM-layout file."""
    levels = count_indexes(file, rf"{VAE}encoder\.down\.(\d+)\.")
    channels = [
        file.shape(f"{VAE}encoder.down.{level}.block.0.conv1.weight")[0]
        for level in range(levels)
    ]
    return {
        "_class_name": "AutoencoderKL",
        "block_out_channels": channels,
        "layers_per_block": count_indexes(
            file, rf"{VAE}encoder\.down\.0\.block\.(\d+)\."
        ),
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": file.shape(f"{VAE}decoder.conv_in.weight")[1],
        "scaling_factor": SCALING[file.base],
        "force_upcast": file.base == "sdxl",
        "sample_size": 1024 if file.base == "sdxl" else 512,
    }


def clip_config(file: SingleFile, prefix: str) -> dict[str, Any]:
    """A CLIP text encoder in transformers' own names below `prefix`."""
    text = f"{prefix}text_model."
    vocabulary, width = file.shape(f"{text}embeddings.token_embedding.weight")
    return {
        **_text_common(width, vocabulary),
        "architectures": ["CLIPTextModel"],
        "num_hidden_layers": count_indexes(
            file, re.escape(f"{text}encoder.layers.") + r"(\d+)\."
        ),
        "intermediate_size": file.shape(f"{text}encoder.layers.0.mlp.fc1.weight")[0],
        "max_position_embeddings": file.shape(
            f"{text}embeddings.position_embedding.weight"
        )[0],
        "hidden_act": "quick_gelu",
        "projection_dim": width,
    }


def open_clip_config(file: SingleFile, prefix: str, *, unused: int) -> dict[str, Any]:
    """An OpenCLIP text encoder below `prefix`, less its `unused` last layers."""
    vocabulary, width = file.shape(f"{prefix}token_embedding.weight")
    layers = count_indexes(
        file, re.escape(f"{prefix}transformer.resblocks.") + r"(\d+)\."
    )
    block = f"{prefix}transformer.resblocks.0"
    return {
        **_text_common(width, vocabulary),
        "architectures": ["CLIPTextModelWithProjection"],
        "num_hidden_layers": layers - unused,
        "intermediate_size": file.shape(f"{block}.mlp.c_fc.weight")[0],
        "max_position_embeddings": file.shape(f"{prefix}positional_embedding")[0],
        "hidden_act": "gelu",
        "projection_dim": file.shape(f"{prefix}text_projection")[1],
    }


def _text_common(width: int, vocabulary: int) -> dict[str, Any]:
    return {
        "model_type": "clip_text_model",
        "hidden_size": width,
        "vocab_size": vocabulary,
        "num_attention_heads": max(1, width // HEAD),
        # CLIP's vocabulary ends with the start and the end mark.
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }


def text_configs(file: SingleFile) -> dict[str, dict[str, Any]]:
    """Text encoder configurations by component name."""
    if file.base == "sd15":
        return {"text_encoder": clip_config(file, "cond_stage_model.transformer.")}
    if file.base == "sd21":
        # The second generation reads the last layer but one, then normalises.
        config = open_clip_config(file, "cond_stage_model.model.", unused=1)
        return {"text_encoder": {**config, "architectures": ["CLIPTextModel"]}}
    return {
        "text_encoder": clip_config(file, "conditioner.embedders.0.transformer."),
        "text_encoder_2": open_clip_config(
            file, "conditioner.embedders.1.model.", unused=0
        ),
    }


def flux_config(file: SingleFile) -> dict[str, Any]:
    """diffusers' configuration of a Flux transformer in either layout."""
    names: Mapping[str, str] = _FLUX_NAMES[file.layout]
    shape: Callable[[str], tuple[int, ...]] = lambda key: file.shape(  # noqa: E731
        file.prefix + names[key]
    )
    inner, channels = shape("input")
    head = shape("head")[0]
    if head != sum(FLUX_ROPE):
        raise ModelRefused(
            f"its heads are {head} wide, Flux's are {sum(FLUX_ROPE)}",
            code="unsupported_architecture",
        )
    prefix = re.escape(file.prefix)
    return {
        "_class_name": "FluxTransformer2DModel",
        "in_channels": channels,
        "num_layers": count_indexes(file, rf"{prefix}{names['double']}\.(\d+)\."),
        "num_single_layers": count_indexes(
            file, rf"{prefix}{names['single']}\.(\d+)\."
        ),
        "attention_head_dim": head,
        "num_attention_heads": inner // head,
        "joint_attention_dim": shape("text")[1],
        "pooled_projection_dim": shape("pooled")[1],
        "guidance_embeds": file.prefix + names["guidance"] in file.header.tensors,
        "axes_dims_rope": list(FLUX_ROPE),
    }


_FLUX_NAMES: Mapping[str, Mapping[str, str]] = {
    "bfl": {
        "input": "img_in.weight",
        "head": "double_blocks.0.img_attn.norm.query_norm.scale",
        "text": "txt_in.weight",
        "pooled": "vector_in.in_layer.weight",
        "guidance": "guidance_in.in_layer.weight",
        "double": "double_blocks",
        "single": "single_blocks",
    },
    "diffusers": {
        "input": "x_embedder.weight",
        "head": "transformer_blocks.0.attn.norm_q.weight",
        "text": "context_embedder.weight",
        "pooled": "time_text_embed.text_embedder.linear_1.weight",
        "guidance": "time_text_embed.guidance_embedder.linear_1.weight",
        "double": "transformer_blocks",
        "single": "single_transformer_blocks",
    },
}


def noise_facts(file: SingleFile) -> dict[str, Any]:
    """The scheduler configuration that a checkpoint of this base was trained with.

    `prediction_type` is absent where a file cannot say it (sd21 exists both ways);
    the loader then measures it.
    """
    if file.base == "flux":
        guided = flux_config(file)["guidance_embeds"]
        return _FLUX_DEV_NOISE if guided else _FLUX_SCHNELL_NOISE
    noise: dict[str, Any] = dict(_LDM_NOISE)
    # Markers that trainers of velocity models leave in the file.
    stated = file.header.metadata.get("modelspec.prediction_type", "")
    if "v_pred" in file.header.tensors or stated in ("v", "v_prediction"):
        noise["prediction_type"] = "v_prediction"
    elif stated == "epsilon" or file.base != "sd21":
        noise["prediction_type"] = "epsilon"
    if "ztsnr" in file.header.tensors:
        noise |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return noise


_FLUX_SCHNELL_NOISE = {"num_train_timesteps": 1000, "shift": 1.0}
_FLUX_DEV_NOISE = {
    "num_train_timesteps": 1000,
    "shift": 3.0,
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
}
