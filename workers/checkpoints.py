"""Put a checkpoint into the object store."""

from __future__ import annotations

from pathlib import Path

from pingvas.core.storage.keys import MODELS
from pingvas.core.storage.stores import object_store
from workers.engine.facts import (
    companion_files,
    file_digest,
    read_source,
    source_files,
)
from workers.manifest import COMPANION, MANIFEST, Manifest, ModelFile

Paths = dict[str, Path]


def publish_checkpoint(manifest: Manifest, paths: Paths) -> str:
    """Put the files of an inspected checkpoint into the store; returns their prefix.

    Files that are there already are not sent again; the manifest comes last, so a
    prefix with a manifest is whole. StorageUnavailable: call again to go on.
    """
    key = f"{MODELS}/{manifest.digest}"
    store = object_store()
    for file in manifest.files:
        target = f"{key}/{file.path}"
        if store.size(target) != file.size:
            store.put_file(target, paths[file.path])
    store.put(f"{key}/{MANIFEST}", manifest.as_json(), content_type="application/json")
    return key


def describe_files(
    path: Path, companion: Path | None = None, needs: tuple[str, ...] = ()
) -> tuple[Manifest, Paths]:
    """The manifest of a folder or single file, and where each of its files is now.

    `companion` gives a single file the parts that it `needs`.
    """
    root = path if path.is_dir() else path.parent
    paths = {
        file.relative_to(root).as_posix(): file
        for file in source_files(read_source(path))
    }
    if companion is not None:
        for file in companion_files(companion, needs):
            paths[f"{COMPANION}/{file.relative_to(companion).as_posix()}"] = file
    files = tuple(
        ModelFile(name, file.stat().st_size, file_digest(file))
        for name, file in paths.items()
    )
    return Manifest("folder" if path.is_dir() else "file", files), paths
