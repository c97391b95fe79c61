"""What a checkpoint is, established without loading it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workers.engine.errors import ModelRefused
from workers.engine.folders import Folder, read_folder, weight_files
from workers.engine.single_files import NEEDS, SingleFile, read_single_file
from workers.engine.sizes import native_side
from workers.engine.tensors import ITEM_BYTES, Header

Format = Literal["diffusers", "single_file"]
Source = Folder | SingleFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """`file_size` in bytes of what is loaded, `parameters` counted over all parts.

    `weight_bytes` is the size of the weights as stored, `needs` names the parts that
    a companion folder must give because the checkpoint lacks them, `native_side` in
    pixels what it was trained on, None where nothing says so.
    """

    base: str
    format: Format
    file_size: int
    sha256: str
    parameters: int
    weight_bytes: int
    needs: tuple[str, ...]
    native_side: int | None


def inspect_model(path: Path) -> ModelFacts:
    """Detect base and format and compute the digest; raises ModelRefused.

    A file's digest is its sha256. A folder's is the sha256 of the lines that
    `sha256sum` would print for the files that count (model_index.json, and every
    component's configurations and weights), sorted by relative path.
    """
    source = read_source(path)
    headers = source_headers(source)
    return ModelFacts(
        base=source.base,
        format=source_format(source),
        file_size=sum(file.stat().st_size for file in source_files(source)),
        sha256=source_digest(source),
        parameters=sum(info.count for h in headers for info in h.tensors.values()),
        weight_bytes=stored_bytes(headers),
        needs=NEEDS[source.base] if isinstance(source, SingleFile) else (),
        native_side=native_side(source),
    )


def source_format(source: Source) -> Format:
    return "diffusers" if isinstance(source, Folder) else "single_file"


def read_source(path: Path) -> Source:
    """A folder or a file, checked; raises ModelRefused."""
    if path.is_dir():
        return read_folder(path)
    if path.is_file():
        return read_single_file(path)
    raise ModelRefused(f"{path.name} does not exist", code="model_missing")


def source_headers(source: Source) -> tuple[Header, ...]:
    if isinstance(source, SingleFile):
        return (source.header,)
    return tuple(h for part in source.components.values() for h in part.headers)


def stored_bytes(headers: Iterable[Header]) -> int:
    return sum(
        info.count * ITEM_BYTES[info.dtype]
        for header in headers
        for info in header.tensors.values()
    )


def source_files(source: Source) -> tuple[Path, ...]:
    """The files that decide the pictures, sorted."""
    if isinstance(source, SingleFile):
        return (source.path,)
    files = {source.path / "model_index.json"}
    files.add(source.path / "scheduler" / "scheduler_config.json")
    for part in source.components.values():
        files.update(part.files)
        if part.files:
            files.add(source.path / part.name / "config.json")
        else:
            folder = source.path / part.name
            files.update(file for file in folder.iterdir() if file.is_file())
    return tuple(sorted(files))


def companion_files(companion: Path, needs: Iterable[str]) -> tuple[Path, ...]:
    """The files of the parts that a single file lacks, sorted; raises ModelRefused."""
    files: set[Path] = set()
    for name in needs:
        part = companion / name
        if not part.is_dir():
            raise ModelRefused(
                f"the companion has no {name} either", code="companion_missing"
            )
        if name.startswith("tokenizer"):
            files.update(file for file in part.iterdir() if file.is_file())
        else:
            files.add(part / "config.json")
            files.update(weight_files(part)[0])
    return tuple(sorted(files))


def source_digest(source: Source) -> str:
    if isinstance(source, SingleFile):
        return file_digest(source.path)
    total = hashlib.sha256()
    for file in source_files(source):
        relative = file.relative_to(source.path).as_posix()
        total.update(f"{file_digest(file)}  {relative}\n".encode())
    return total.hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
