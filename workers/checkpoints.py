"""Put a checkpoint into the object store."""

from __future__ import annotations

from pathlib import Path

from gallery.objects import object_store
from workers.engine.facts import ModelFacts, file_digest, read_source, source_files
from workers.manifest import MANIFEST, Manifest, ModelFile

PREFIX = "models"


def publish_checkpoint(path: Path, facts: ModelFacts) -> str:
    """Put the files of an inspected checkpoint into the store; returns their prefix.

    Files that are there already are not sent again; the manifest comes last, so a
    prefix with a manifest is whole. StorageUnavailable: call again to go on.
    """
    manifest, root = describe_files(path)
    key = f"{PREFIX}/{facts.sha256}"
    store = object_store()
    for file in manifest.files:
        target = f"{key}/{file.path}"
        if store.size(target) != file.size:
            store.put_file(target, root / file.path)
    store.put(f"{key}/{MANIFEST}", manifest.as_json(), content_type="application/json")
    return key


def describe_files(path: Path) -> tuple[Manifest, Path]:
    """The manifest of a folder or single file, and the folder its paths start from."""
    root = path if path.is_dir() else path.parent
    files = tuple(
        ModelFile(
            file.relative_to(root).as_posix(), file.stat().st_size, file_digest(file)
        )
        for file in source_files(read_source(path))
    )
    return Manifest("folder" if path.is_dir() else "file", files), root
