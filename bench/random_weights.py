"""Checkpoints of true size and architecture with random weights.

Their numbers are those of the published models (see `workers.engine.blueprints` for
where they stand); tokenizers are trained on the spot, for no vocabulary of anybody else
is in the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

NOISE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}


def build(base: str, folder: Path) -> None:
    """Write a diffusers-format folder in half precision."""
    dtype = torch.bfloat16 if base == "flux" else torch.float16
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    with _default_dtype(dtype), torch.device(device):
        BUILDERS[base]().save_pretrained(folder)


def _sd15() -> Any:
    tokenizer = _clip_tokenizer()
    return diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(**VAE, scaling_factor=0.18215),
        text_encoder=_clip(tokenizer, 768, 12),
        tokenizer=tokenizer,
        unet=diffusers.UNet2DConditionModel(cross_attention_dim=768, sample_size=64),
        scheduler=diffusers.PNDMScheduler(**NOISE, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl() -> Any:
    first, second = _clip_tokenizer(), _clip_tokenizer()
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
        cross_attention_dim=2048,
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
        sample_size=128,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=diffusers.AutoencoderKL(**VAE, scaling_factor=0.13025, force_upcast=True),
        text_encoder=_clip(first, 768, 12),
        text_encoder_2=_clip(
            second, 1280, 32, kind=transformers.CLIPTextModelWithProjection, act="gelu"
        ),
        tokenizer=first,
        tokenizer_2=second,
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler(**NOISE),
        add_watermarker=False,
    )


def _flux() -> Any:
    first, second = _clip_tokenizer(), _t5_tokenizer()
    vae = diffusers.AutoencoderKL(
        **VAE,
        latent_channels=16,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    t5 = transformers.T5Config(
        vocab_size=32128,
        d_model=4096,
        d_kv=64,
        d_ff=10240,
        num_layers=24,
        num_heads=64,
        feed_forward_proj="gated-gelu",
    )
    return diffusers.FluxPipeline(
        vae=vae,
        text_encoder=_clip(first, 768, 12),
        text_encoder_2=transformers.T5EncoderModel(t5),
        tokenizer=first,
        tokenizer_2=second,
        transformer=diffusers.FluxTransformer2DModel(guidance_embeds=True),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            shift=3.0, use_dynamic_shifting=True
        ),
    )


BUILDERS: Mapping[str, Callable[[], Any]] = {
    "sd15": _sd15,
    "sdxl": _sdxl,
    "flux": _flux,
}


def _clip(
    tokenizer: Any,
    width: int,
    layers: int,
    *,
    kind: Any = transformers.CLIPTextModel,
    act: str = "quick_gelu",
) -> Any:
    """Embeddings of the true vocabulary's size, ends of text as this tokenizer has."""
    return kind(
        transformers.CLIPTextConfig(
            vocab_size=49408,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=width // 64,
            hidden_act=act,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _clip_tokenizer() -> Any:
    return import_module("tests.workers.engine.vocabularies").clip_tokenizer()


def _t5_tokenizer() -> Any:
    return import_module("tests.workers.engine.vocabularies").t5_tokenizer()


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
