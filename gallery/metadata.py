"""What a picture file says of itself.

Two PNG text chunks: `pingvas_metadata`, our own record as JSON with a version, and
`parameters`, the text that A1111 writes and most galleries read. Pillow stores Latin-1
as tEXt and everything else, Korean prompts included, as iTXt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from PIL.PngImagePlugin import PngInfo

from pingvas.recipe.samplers import SAMPLER_LABELS

OWN_CHUNK = "pingvas_metadata"
A1111_CHUNK = "parameters"
VERSION = 1

NEGATIVE = "Negative prompt:"
# `Name: value` or `Name: "a JSON string"`, separated by commas.
_PAIR = re.compile(r'\s*(\w[\w \-/]{0,40}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
# A last line with fewer pairs is the end of a prompt, not the settings.
FEWEST_PAIRS = 3

_KARRAS = " Karras"
# A1111 calls this one by the paper's name.
_A1111_SAMPLERS = {**SAMPLER_LABELS, "pndm": "PLMS"}


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
    name = _A1111_SAMPLERS.get(sampler, sampler)
    found = [
        ("Steps", metadata["steps"]),
        ("Sampler", name.removesuffix(_KARRAS)),
        ("Schedule type", _KARRAS.strip() if name.endswith(_KARRAS) else None),
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


def read_a1111_parameters(text: str) -> dict[str, object]:
    """The settings of an A1111 text, by our names, as far as it has them."""
    lines = text.strip().split("\n")
    pairs = _PAIR.findall(lines[-1])
    if len(pairs) < FEWEST_PAIRS:
        pairs = []
    else:
        lines.pop()
    said = {name: _unquoted(value) for name, value in pairs}
    prompt, negative = _prompts(lines)
    width, _, height = said.get("Size", "").partition("x")
    found: dict[str, object] = {
        "prompt": prompt,
        "negative_prompt": negative,
        "model": said.get("Model"),
        "sampler": _our_sampler(said.get("Sampler"), said.get("Schedule type")),
        "cfg_scale": _decimal(said.get("CFG scale")),
    }
    numbers = {"width": width, "height": height}
    numbers |= {"steps": said.get("Steps", ""), "seed": said.get("Seed", "")}
    return found | {name: _integer(value) for name, value in numbers.items()}


def _prompts(lines: list[str]) -> tuple[str, str]:
    for index, line in enumerate(lines):
        if line.startswith(NEGATIVE):
            first = line.removeprefix(NEGATIVE).strip()
            rest = "\n".join([first, *lines[index + 1 :]])
            return "\n".join(lines[:index]), rest
    return "\n".join(lines), ""


_OURS = {theirs: ours for ours, theirs in _A1111_SAMPLERS.items()}


def _our_sampler(name: str | None, schedule: str | None) -> str | None:
    """A1111 once said `DPM++ 2M Karras`, and says it in two now."""
    full = name or ""
    if schedule == _KARRAS.strip():
        full = full.removesuffix(_KARRAS) + _KARRAS
    return _OURS.get(full)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value.strip()
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _decimal(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
