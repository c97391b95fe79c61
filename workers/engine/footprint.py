"""How large a checkpoint will be in memory, and whether it is still the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from workers.engine.devices import Settings
from workers.engine.facts import Source
from workers.engine.folders import COMPONENTS, Folder, read_component
from workers.engine.loading import PIPELINES
from workers.engine.single_files import NEEDS
from workers.engine.tensors import Header


def planned_bytes(source: Source, companion: Path | None, settings: Settings) -> int:
    """Bytes of all weights in the dtype that the settings choose."""
    return sum(_part_bytes(source, companion, settings))


def largest_part(source: Source, companion: Path | None, settings: Settings) -> int:
    """Bytes that are on the device at once when parts take turns there."""
    return max(_part_bytes(source, companion, settings))


def _part_bytes(
    source: Source, companion: Path | None, settings: Settings
) -> list[int]:
    if isinstance(source, Folder):
        parts = [part.headers for part in source.components.values()]
    else:
        parts = [(source.header,), *_companion_headers(source.base, companion)]
    return [_count(headers) * settings.dtype.itemsize for headers in parts]


def _companion_headers(
    base: str, companion: Path | None
) -> Iterable[tuple[Header, ...]]:
    classes = COMPONENTS[PIPELINES[base]]
    for name in NEEDS[base]:
        if companion is not None and (companion / name).is_dir():
            yield read_component(companion, name, min(classes[name])).headers


def _count(headers: Iterable[Header]) -> int:
    return sum(info.count for header in headers for info in header.tensors.values())


def signature(path: Path) -> str:
    """Changes when the checkpoint's files do; cheap, reads none of them."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    digest = hashlib.sha256(str(path.resolve()).encode())
    for file in files:
        if file.is_file():
            facts = file.stat()
            line = f"{file.name} {facts.st_size} {facts.st_mtime_ns}"
            digest.update(line.encode())
    return digest.hexdigest()
