"""Prompts of any length for encoders that see a fixed window.

A CLIP encoder reads 77 tokens, two of them marks. Longer texts are cut into windows
of 75 tokens, each encoded by itself, and the embeddings stand one after the other:
the denoiser's attention takes any number of them. What even that cannot hold is
reported in a note, never dropped silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from workers.engine.loading import LoadedModel
from workers.engine.specs import Note

MAX_WINDOWS = 8
T5_WINDOW = 512


@dataclass(frozen=True, slots=True)
class Conditioning:
    """Arguments for the pipeline's call, and what is to be told about the prompt."""

    arguments: dict[str, Any]
    notes: tuple[Note, ...]


def encode_prompts(
    model: LoadedModel, prompt: str, negative: str | None, guidance: float | None
) -> Conditioning:
    """Embeddings of a prompt and, where guidance uses it, of its negative."""
    with torch.inference_mode():
        if model.base == "flux":
            return _encode_flux(model, prompt, negative, guidance)
        return _encode_clip(model, prompt, negative, guidance)


def wants_negative(model: LoadedModel, guidance: float | None) -> bool:
    """Whether the pass compares with a negative prompt.

    A Flux checkpoint with distilled guidance takes the number as an input and has
    no second pass; one without it is guided the classical way.
    """
    if guidance is None or guidance <= 1:
        return False
    if model.base == "flux":
        return not model.denoiser.config.guidance_embeds
    return getattr(model.denoiser.config, "time_cond_proj_dim", None) is None


def _ignored(
    model: LoadedModel, negative: str | None, guidance: float | None
) -> list[Note]:
    if negative and not wants_negative(model, guidance):
        return [Note("negative_prompt_ignored")]
    return []


def _encode_clip(
    model: LoadedModel, prompt: str, negative: str | None, guidance: float | None
) -> Conditioning:
    pipeline = model.pipeline
    notes = _ignored(model, negative, guidance)
    guided = wants_negative(model, guidance)
    texts = {"prompt": prompt}
    if guided:
        texts["negative_prompt"] = negative or ""
    encoders = _encoders(pipeline)
    windows = {
        field: [_windows(*pair, text, field, notes) for pair in encoders]
        for field, text in texts.items()
    }
    # Both halves of a guided batch need equally many windows.
    count = max(len(ids) for lists in windows.values() for ids in lists)
    if count > 1:
        notes.append(Note("prompt_windows", {"windows": count}))
    arguments: dict[str, Any] = {}
    for field, lists in windows.items():
        embeds, pooled = _embed(encoders, lists, count, model)
        if _zeroed(model, field, negative):
            embeds = torch.zeros_like(embeds)
            pooled = None if pooled is None else torch.zeros_like(pooled)
        prefix = "" if field == "prompt" else "negative_"
        arguments[f"{prefix}prompt_embeds"] = embeds
        if pooled is not None:
            arguments[f"{prefix}pooled_prompt_embeds"] = pooled
    return Conditioning(arguments, tuple(notes))


def _zeroed(model: LoadedModel, field: str, negative: str | None) -> bool:
    """SDXL was trained with zeros, not an empty text, as its unguided half."""
    if field == "prompt" or negative or model.base != "sdxl":
        return False
    return bool(model.pipeline.config.force_zeros_for_empty_prompt)


def _encoders(pipeline: Any) -> list[tuple[Any, Any]]:
    pairs = [(pipeline.tokenizer, pipeline.text_encoder)]
    if getattr(pipeline, "text_encoder_2", None) is not None:
        pairs.append((pipeline.tokenizer_2, pipeline.text_encoder_2))
    return pairs


def _window_size(tokenizer: Any, encoder: Any) -> int:
    # Some folders leave the tokenizer's own limit out, which then is astronomic.
    limits = tokenizer.model_max_length, encoder.config.max_position_embeddings
    return int(min(limits))


def _windows(
    tokenizer: Any, encoder: Any, text: str, field: str, notes: list[Note]
) -> list[list[int]]:
    """Token ids cut into windows of the encoder's length, marks and padding added."""
    size = _window_size(tokenizer, encoder)
    room = size - 2
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    kept = ids[: room * MAX_WINDOWS]
    if len(kept) < len(ids):
        notes.append(_cut(field, tokenizer, ids, len(kept)))
    pieces = [kept[i : i + room] for i in range(0, len(kept), room)] or [[]]
    return [_window(tokenizer, piece, size) for piece in pieces]


def _window(tokenizer: Any, ids: list[int], size: int) -> list[int]:
    framed = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    return framed + [tokenizer.pad_token_id] * (size - len(framed))


def _cut(field: str, tokenizer: Any, ids: list[int], kept: int) -> Note:
    lost = tokenizer.decode(ids[kept:], skip_special_tokens=True)
    data = {"field": field, "kept": kept, "tokens": len(ids), "lost": lost}
    return Note("prompt_cut", data)


def _embed(
    encoders: list[tuple[Any, Any]],
    lists: list[list[list[int]]],
    count: int,
    model: LoadedModel,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Embeddings (1, count * window, width) and SDXL's pooled vector (1, width).

    The pooled vector is the first window's: it holds the beginning of the prompt.
    """
    embeds, pooled = [], None
    for (tokenizer, encoder), windows in zip(encoders, lists, strict=True):
        empty = _window(tokenizer, [], _window_size(tokenizer, encoder))
        padded = windows + [empty] * (count - len(windows))
        ids = torch.tensor(padded, device=model.device.device)
        if model.base == "sdxl":
            output = encoder(ids, output_hidden_states=True)
            hidden = output.hidden_states[-2]
            pooled = output[0][:1] if output[0].ndim == 2 else pooled
        else:
            hidden = encoder(ids)[0]
        embeds.append(hidden.reshape(1, -1, hidden.shape[-1]))
    return torch.cat(embeds, dim=-1), pooled


def _encode_flux(
    model: LoadedModel, prompt: str, negative: str | None, guidance: float | None
) -> Conditioning:
    notes = _ignored(model, negative, guidance)
    embeds, pooled = _flux_embeds(model, prompt, "prompt", notes)
    arguments = {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    if wants_negative(model, guidance):
        embeds, pooled = _flux_embeds(model, negative or "", "negative_prompt", notes)
        arguments["negative_prompt_embeds"] = embeds
        arguments["negative_pooled_prompt_embeds"] = pooled
    return Conditioning(arguments, tuple(notes))


def _flux_embeds(
    model: LoadedModel, text: str, field: str, notes: list[Note]
) -> tuple[torch.Tensor, torch.Tensor]:
    """T5's embeddings (1, 512, width) carry the text, CLIP's (1, width) its gist."""
    pipeline = model.pipeline
    tokenizer = pipeline.tokenizer_2
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    room = T5_WINDOW - 1
    if len(ids) > room:
        notes.append(_cut(field, tokenizer, ids, room))
    embeds, pooled, _ = pipeline.encode_prompt(
        prompt=text,
        prompt_2=None,
        device=torch.device(model.device.device),
        max_sequence_length=T5_WINDOW,
    )
    return embeds, pooled
