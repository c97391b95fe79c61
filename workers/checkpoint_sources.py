"""Find a checkpoint: on disk, in the object store, or on the hub.

Apart from `workers.checkpoints` because the engine forbids the hub once it is imported.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from django.core.files.storage import default_storage

STORE_SCHEME = "s3://"
# What a pipeline is made of; never pickles, never code.
HUB_PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors"]


def fetch_checkpoint(source: str, work: Path) -> Path:
    """A folder or file on disk for a path, `s3://` key prefix or hub repository.

    FileNotFoundError when there is nothing under that name.
    """
    if Path(source).exists():
        return Path(source)
    if source.startswith(STORE_SCHEME):
        return _from_store(source.removeprefix(STORE_SCHEME), work)
    return _from_hub(source, work)


def _from_store(prefix: str, work: Path) -> Path:
    prefix = prefix.rstrip("/")
    files = list(_walk(prefix))
    if not files and default_storage.exists(prefix):
        files = [prefix]
    if not files:
        raise FileNotFoundError(prefix)
    for key in files:
        relative = PurePosixPath(key).relative_to(PurePosixPath(prefix).parent)
        target = work / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with default_storage.open(key) as source, target.open("wb") as sink:
            for chunk in source.chunks():
                sink.write(chunk)
    return work / PurePosixPath(prefix).name


def _walk(prefix: str) -> list[str]:
    try:
        folders, files = default_storage.listdir(prefix)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [f"{prefix}/{name}" for name in files if name]
    for folder in folders:
        found += _walk(f"{prefix}/{folder}")
    return found


def _from_hub(repository: str, work: Path) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(repository, local_dir=work, allow_patterns=HUB_PATTERNS)
    )
