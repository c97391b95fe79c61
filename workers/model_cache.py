"""Checkpoints on this machine's disk, fetched once from the object store.

A checkpoint is a prefix in the store, `models/{sha256}/`, with a `manifest.json` that
names its files. It is written aside, verified and renamed, so a folder with the final
name is whole. Redis says who downloads and what is here; losing it costs time alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage

from modelhub.models import AIModel
from pingvas.core.errors import PingvasError
from workers.model_lock import DownloadLock, remember_cached

log = logging.getLogger(__name__)

CHUNK = 4 * 1024 * 1024
MANIFEST = "manifest.json"
PARTIAL = ".partial"


class ModelCorrupt(PingvasError):
    """What the store holds is not what was registered."""

    code = "model_corrupt"
    status = 500


@dataclass(frozen=True)
class ModelFile:
    """One file of a checkpoint: path inside it, bytes, SHA-256."""

    path: str
    size: int
    sha256: str


class ModelCache:
    """Least-recently-used folder of checkpoints below `root`, `limit` bytes at most."""

    def __init__(self, root: Path | None = None, limit: int | None = None) -> None:
        self._root = root or settings.MODEL_CACHE_ROOT
        self._limit = limit or settings.MODEL_CACHE_BYTES
        self._root.mkdir(parents=True, exist_ok=True)

    def ensure(self, model: AIModel) -> Path:
        """The checkpoint's folder or file on disk, downloaded first when it is new.

        ModelCorrupt when a file's hash is not the registered one.
        """
        manifest = json.loads(_read(f"{model.s3_key}/{MANIFEST}"))
        files = [ModelFile(**entry) for entry in manifest["files"]]
        folder = self._root / str(model.sha256_hash)
        with _held(self._root / f"{model.sha256_hash}.lock"):
            if not folder.exists():
                self._make_room(sum(file.size for file in files), keep=folder)
                with DownloadLock(model.name):
                    self._download(model, files, folder)
            os.utime(folder)
        remember_cached(model.name)
        return folder if manifest["format"] == "folder" else folder / files[0].path

    def _download(self, model: AIModel, files: list[ModelFile], folder: Path) -> None:
        aside = folder.with_name(folder.name + PARTIAL)
        total = sum(file.size for file in files)
        done = 0
        for file in files:
            _fetch(f"{model.s3_key}/{file.path}", aside / file.path, file)
            done += file.size
            log.info(
                "model download",
                extra={"model": model.name, "bytes": done, "total": total},
            )
        aside.rename(folder)

    def _make_room(self, needed: int, *, keep: Path) -> None:
        folders = [path for path in self._root.iterdir() if _is_whole(path)]
        folders.sort(key=lambda path: path.stat().st_mtime)
        used = sum(_bytes_of(path) for path in folders)
        for folder in folders:
            if used + needed <= self._limit:
                return
            if folder != keep:
                used -= _bytes_of(folder)
                shutil.rmtree(folder)
                log.info("model evicted", extra={"folder": folder.name})


def _fetch(key: str, target: Path, file: ModelFile) -> None:
    """Copy one object, going on where a download that was cut ended."""
    target.parent.mkdir(parents=True, exist_ok=True)
    have = target.stat().st_size if target.exists() else 0
    if have < file.size:
        with default_storage.open(key) as source, target.open("ab") as sink:
            source.seek(have)
            while chunk := source.read(CHUNK):
                sink.write(chunk)
    with target.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    if digest != file.sha256:
        target.unlink()
        raise ModelCorrupt(f"{key} has another hash than its manifest says")


def _read(key: str) -> bytes:
    with default_storage.open(key) as file:
        return bytes(file.read())


def _is_whole(path: Path) -> bool:
    return path.is_dir() and not path.name.endswith(PARTIAL)


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """One process of this machine at a time, freed by the kernel when it dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
