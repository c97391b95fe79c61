"""What a picture file says of itself.

Two PNG text chunks: `pingvas_metadata`, our own record as JSON with a version, and
`parameters`, the text that A1111 writes and most galleries read. Pillow stores Latin-1
as tEXt and everything else, Korean prompts included, as iTXt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from PIL.PngImagePlugin import PngInfo

from pingvas.recipe.samplers import SAMPLER_LABELS

OWN_CHUNK = "pingvas_metadata"
A1111_CHUNK = "parameters"
VERSION = 1

NEGATIVE = "Negative prompt:"

KARRAS = " Karras"
# A1111 calls this one by the paper's name.
A1111_SAMPLERS = {**SAMPLER_LABELS, "pndm": "PLMS"}


def png_chunks(metadata: Mapping[str, Any]) -> PngInfo:
    """Both chunks for `metadata` as `images.metadata` holds it."""
    chunks = PngInfo()
    own = {**metadata, "version": VERSION}
    chunks.add_text(OWN_CHUNK, json.dumps(own, ensure_ascii=False))
    chunks.add_text(A1111_CHUNK, a1111_parameters(metadata))
    return chunks


def a1111_parameters(metadata: Mapping[str, Any]) -> str:
    """The prompt, a negative prompt line if there is one, and one line of settings."""
    lines = [str(metadata["prompt"])]
    if metadata.get("negative_prompt"):
        lines.append(f"{NEGATIVE} {metadata['negative_prompt']}")
    pairs = [f"{name}: {_quoted(value)}" for name, value in _settings(metadata)]
    return "\n".join([*lines, ", ".join(pairs)])


def _settings(metadata: Mapping[str, Any]) -> list[tuple[str, object]]:
    sampler = str(metadata["sampler"])
    name = A1111_SAMPLERS.get(sampler, sampler)
    found = [
        ("Steps", metadata["steps"]),
        ("Sampler", name.removesuffix(KARRAS)),
        ("Schedule type", KARRAS.strip() if name.endswith(KARRAS) else None),
        ("CFG scale", metadata.get("cfg_scale")),
        ("Seed", metadata["seed"]),
        ("Size", f"{metadata['width']}x{metadata['height']}"),
        ("Model hash", _model_sha256(metadata)[:10]),
        ("Model", metadata["model"]),
        ("Version", "Pingvas"),
    ]
    return [(name, value) for name, value in found if value not in (None, "")]


def _model_sha256(metadata: Mapping[str, Any]) -> str:
    """The checkpoint's digest out of the engine's record, "" where there is none."""
    model = (metadata.get("record") or {}).get("model") or {}
    return str(model.get("sha256") or "")


def _quoted(value: object) -> str:
    # A1111's reader takes a value with one of these as a JSON string.
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if set(text) & set(',\n:"') else text
