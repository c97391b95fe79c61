"""Black Forest Labs' names for Flux's tensors, turned into diffusers'.

The published files fuse queries, keys and values (and, in single blocks, the MLP's
input) into one matrix, and order the last layer's modulation as shift, scale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch

from workers.engine.errors import ModelRefused

Tensors = Mapping[str, torch.Tensor]
Pairs = Iterator[tuple[str, torch.Tensor]]

_WHOLE = {
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "txt_in": "context_embedder",
    "img_in": "x_embedder",
    "final_layer.linear": "proj_out",
}
_DOUBLE = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
_DOUBLE_FUSED = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
_DOUBLE_NORMS = {
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
}
_SINGLE = {"modulation.lin": "norm.linear", "linear2": "proj_out"}
_SINGLE_FUSED = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
_SINGLE_NORMS = {
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
}


def to_diffusers(tensors: Tensors) -> dict[str, torch.Tensor]:
    """All tensors under diffusers' names; raises ModelRefused for unknown names."""
    converted: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        converted.update(_convert(name, tensor))
    return converted


def _convert(name: str, tensor: torch.Tensor) -> Pairs:
    layer, _, kind = name.rpartition(".")
    if layer in _WHOLE:
        yield f"{_WHOLE[layer]}.{kind}", tensor
    elif layer == "final_layer.adaLN_modulation.1":
        shift, scale = tensor.chunk(2)
        yield f"norm_out.linear.{kind}", torch.cat([scale, shift])
    elif match := re.fullmatch(r"double_blocks\.(\d+)\.(.+)", layer):
        block = f"transformer_blocks.{match[1]}."
        yield from _double(block, match[2], kind, tensor)
    elif match := re.fullmatch(r"single_blocks\.(\d+)\.(.+)", layer):
        block = f"single_transformer_blocks.{match[1]}."
        yield from _single(block, match[2], kind, tensor)
    else:
        raise _unknown(name)


def _double(block: str, layer: str, kind: str, tensor: torch.Tensor) -> Pairs:
    if layer in _DOUBLE:
        yield f"{block}{_DOUBLE[layer]}.{kind}", tensor
    elif layer in _DOUBLE_NORMS:
        yield f"{block}{_DOUBLE_NORMS[layer]}.weight", tensor
    elif layer in _DOUBLE_FUSED:
        parts = tensor.chunk(3)
        for target, part in zip(_DOUBLE_FUSED[layer], parts, strict=True):
            yield f"{block}{target}.{kind}", part.contiguous()
    else:
        raise _unknown(f"{block}{layer}")


def _single(block: str, layer: str, kind: str, tensor: torch.Tensor) -> Pairs:
    if layer in _SINGLE:
        yield f"{block}{_SINGLE[layer]}.{kind}", tensor
    elif layer in _SINGLE_NORMS:
        yield f"{block}{_SINGLE_NORMS[layer]}.weight", tensor
    elif layer == "linear1":
        # Three inner widths and an MLP of four: seven equal parts.
        inner = tensor.shape[0] // 7
        parts = torch.split(tensor, [inner, inner, inner, 4 * inner])
        for target, part in zip(_SINGLE_FUSED, parts, strict=True):
            yield f"{block}{target}.{kind}", part.contiguous()
    else:
        raise _unknown(f"{block}{layer}")


def _unknown(name: str) -> ModelRefused:
    return ModelRefused(f"tensor {name[:80]} is not Flux's", code="weights_mismatch")
