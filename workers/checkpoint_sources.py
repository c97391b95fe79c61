"""Find a checkpoint: on disk, in the object store, or on the hub.

Apart from `workers.checkpoints` because the engine forbids the hub once it is imported.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from django.conf import settings

from gallery.objects import object_store

STORE_SCHEME = "s3://"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
# What a pipeline is made of, in its subfolders; never pickles, never code. Single
# files that lie beside the folders are the same weights once more.
HUB_PATTERNS = ["model_index.json"] + [
    f"*/*.{ending}" for ending in ("json", "txt", "model", "safetensors")
]
HUB_IGNORED = ["safety_checker/*", "feature_extractor/*", "image_encoder/*"]


def fetch_checkpoint(source: str, work: Path) -> Path:
    """A folder or file on disk for a path, `s3://` key prefix or hub repository.

    FileNotFoundError when there is nothing under that name.
    """
    if Path(source).exists():
        return Path(source)
    if source.startswith(STORE_SCHEME):
        return _from_store(source.removeprefix(STORE_SCHEME), work)
    if not _REPOSITORY.fullmatch(source) or source.startswith("."):
        raise FileNotFoundError("there is no such folder or file")
    return _from_hub(source, work)


def _from_store(where: str, work: Path) -> Path:
    """Copy one object, or all below a prefix; the bucket may be named first."""
    prefix = where.removeprefix(f"{settings.STORAGE_BUCKET}/").strip("/")
    if not prefix:
        raise FileNotFoundError("name a key of the object store")
    keys = [each.key for page in object_store().pages(prefix) for each in page]
    if object_store().size(prefix) is not None:
        keys.append(prefix)
    if not keys:
        raise FileNotFoundError("the object store has no such key")
    above = PurePosixPath(prefix).parent
    for key in keys:
        _copy(key, work, PurePosixPath(key).relative_to(above))
    return work / PurePosixPath(prefix).name


def _copy(key: str, work: Path, relative: PurePosixPath) -> None:
    if ".." in relative.parts:
        raise ValueError(f"{key} leads out of its folder")
    target = work / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as sink:
        for chunk in object_store().read(key):
            sink.write(chunk)


def _from_hub(repository: str, work: Path) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            repository,
            local_dir=work,
            allow_patterns=HUB_PATTERNS,
            ignore_patterns=HUB_IGNORED,
        )
    )
