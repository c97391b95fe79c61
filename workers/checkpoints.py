"""Put a checkpoint into the object store."""

from __future__ import annotations

import json
from pathlib import Path

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from workers.engine.facts import (
    ModelFacts,
    file_digest,
    inspect_model,
    read_source,
    source_files,
)
from workers.model_cache import MANIFEST

PREFIX = "models"


def publish_checkpoint(path: Path) -> tuple[ModelFacts, str]:
    """Inspect `path` and put its files into the store; returns facts and key prefix.

    Raises ModelRefused with the reason. Files that are there already are not sent
    again; the manifest comes last, so a prefix with a manifest is whole.
    """
    facts = inspect_model(path)
    root = path if path.is_dir() else path.parent
    key = f"{PREFIX}/{facts.sha256}"
    entries = []
    for file in source_files(read_source(path)):
        relative = file.relative_to(root).as_posix()
        with file.open("rb") as content:
            _put(f"{key}/{relative}", File(content), file.stat().st_size)
        entries.append(
            {
                "path": relative,
                "size": file.stat().st_size,
                "sha256": file_digest(file),
            }
        )
    form = "folder" if path.is_dir() else "file"
    manifest = json.dumps({"format": form, "files": entries}, indent=1).encode()
    _put(f"{key}/{MANIFEST}", ContentFile(manifest), len(manifest))
    return facts, key


def _put(key: str, content: File[bytes], size: int) -> None:
    if default_storage.exists(key):
        if default_storage.size(key) == size:
            return
        default_storage.delete(key)
    default_storage.save(key, content)
