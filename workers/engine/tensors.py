"""Safetensors headers, read and checked without loading a tensor."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.engine.errors import ModelRefused

# The format's own limit; a header of a true checkpoint has about 200 kB.
MAX_HEADER = 100 * 1024 * 1024
ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
    "BOOL": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorInfo:
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """The header of a whole and well-formed file; raises ModelRefused otherwise.

    Checked as the format's definition demands: the length prefix, JSON without
    repeated names, known types, sizes that follow from the shapes, ranges that touch
    without gap or overlap, and a file that ends where the last tensor ends.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length < 2:
            raise _damaged(path, "it is no safetensors file")
        if length > MAX_HEADER:
            raise _damaged(path, "its header is longer than the format allows")
        raw = file.read(length)
    if len(raw) < length:
        raise _truncated(path)
    entries = _parse(path, raw)
    metadata = _metadata(path, entries.pop("__metadata__", {}))
    tensors = {name: _tensor(path, name, entry) for name, entry in entries.items()}
    _check_ranges(path, entries.values(), size - 8 - length)
    return Header(tensors, metadata)


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise _damaged(path, "a name occurs twice in its header")
        return dict(pairs)

    try:
        entries = json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(entries, dict):
        raise _damaged(path, "its header is no object")
    return entries


def _metadata(path: Path, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(
        isinstance(item, str) for item in value.values()
    ):
        raise _damaged(path, "its metadata are not texts")
    return value


def _tensor(path: Path, name: str, entry: Any) -> TensorInfo:
    try:
        info = TensorInfo(entry["dtype"], tuple(entry["shape"]))
        start, end = entry["data_offsets"]
        integers = (*info.shape, start, end)
        sound = all(type(item) is int and item >= 0 for item in integers)
        sound = sound and end - start == info.count * ITEM_BYTES[info.dtype]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"tensor {name[:80]!r} is described wrongly") from error
    if not sound:
        raise _damaged(path, f"tensor {name[:80]!r} has a size that does not fit")
    return info


def _check_ranges(path: Path, entries: Iterable[Any], available: int) -> None:
    position = 0
    for start, end in sorted(tuple(entry["data_offsets"]) for entry in entries):
        if start != position:
            raise _damaged(path, "its tensors overlap or leave gaps")
        position = end
    if position > available:
        raise _truncated(path)
    if position < available:
        raise _damaged(path, "bytes follow its last tensor")


def _damaged(path: Path, why: str) -> ModelRefused:
    return ModelRefused(f"{path.name} is damaged: {why}", code="damaged_file")


def _truncated(path: Path) -> ModelRefused:
    return ModelRefused(f"{path.name} ends too early", code="truncated_file")
