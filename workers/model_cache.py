"""Checkpoints on this machine's disk, fetched once from the object store.

Below `root`, `{sha256}/` holds a manifest and `files/`. A checkpoint is downloaded into
`{sha256}.partial/`, verified against the registered digest and renamed, so a folder
with the final name is whole; what a killed process left is finished by the next one.
Locks of the kernel say who completes and who uses a checkpoint on this machine: they
end with their process. Redis only spares traffic between machines.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from modelhub.models import AIModel
from pingvas.core.private_files import (
    close_folder,
    make_private_folder,
    private_opener,
)
from pingvas.core.storage.base import ObjectMissing, StorageUnavailable
from workers.engine.errors import EngineError
from workers.manifest import (
    COMPANION,
    MANIFEST,
    Manifest,
    ModelCorrupt,
    parse_manifest,
)
from workers.model_download import Download, read_manifest
from workers.model_lock import DownloadLock, remember_cached

log = logging.getLogger(__name__)

FILES = "files"
PARTIAL = ".partial"
# A store that is away for longer than these pauses is the next attempt's business.
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
LOCK_SECONDS = 0.1
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CachedModel:
    """A checkpoint's folder or file, and the folder that gives what a file lacks."""

    path: Path
    companion: Path | None


class ModelMissing(EngineError):
    """The model is registered, but the store has no files of it."""

    code = "model_missing"


class ModelStoreAway(EngineError):
    """The store does not answer. What was downloaded so far is kept."""

    code = "storage_unavailable"
    permanent = False


class ModelTooLarge(EngineError):
    """The model alone is larger than the cache may be."""

    code = "model_too_large"


class ModelCacheFull(EngineError):
    """The disk, or what other processes use, leaves no room for now."""

    code = "model_cache_full"
    permanent = False


class ModelCache:
    """Least-recently-used folder of checkpoints below `root`, `limit` bytes at most."""

    def __init__(self, root: Path | None = None, limit: int | None = None) -> None:
        self._root = root or settings.MODEL_CACHE_ROOT
        self._limit = limit or settings.MODEL_CACHE_BYTES
        make_private_folder(self._root)
        close_folder(self._root)
        self._used: tuple[str, int] | None = None

    @property
    def limit(self) -> int:
        """Bytes that all checkpoints together may take."""
        return self._limit

    def ensure(
        self, model: AIModel, *, check: Callable[[], None] = lambda: None
    ) -> CachedModel:
        """The checkpoint on disk, downloaded first when it is new.

        Nobody removes it until this cache is asked for another model, or its process
        ends. Raises ModelMissing, ModelCorrupt, ModelTooLarge; and ModelStoreAway and
        ModelCacheFull, which another attempt may not meet. `check` is called while that
        takes long, and may end it by an exception.
        """
        digest = model.sha256_hash
        if not digest or not model.s3_key:
            raise ModelMissing(f"{model.name} has no files")
        entry = self._root / digest
        self._hold(digest)
        try:
            with _locked(self._root / f"{digest}.lock", check):
                manifest = _kept_manifest(entry)
                if manifest is None:
                    manifest = self._complete(model, entry, check)
                os.utime(entry)
        except BaseException:
            self.release()
            raise
        remember_cached(model.name)
        return _cached(entry / FILES, manifest)

    def release(self) -> None:
        """Let others remove the model that was asked for last."""
        if self._used is not None:
            os.close(self._used[1])
            self._used = None

    def _hold(self, digest: str) -> None:
        if self._used is not None and self._used[0] == digest:
            return
        self.release()
        # Waits while somebody is removing it.
        self._used = (digest, _lock(self._use(digest), fcntl.LOCK_SH))

    def _use(self, digest: str) -> Path:
        return self._root / f"{digest}.use"

    def _complete(
        self, model: AIModel, entry: Path, check: Callable[[], None]
    ) -> Manifest:
        """Download what is missing; the caller holds the checkpoint's lock."""
        with DownloadLock(model.name, check):
            for pause in (*PAUSES, None):
                check()
                try:
                    return self._download(model, entry, check)
                except ObjectMissing as error:
                    raise ModelMissing(f"{model.name} is not in the store") from error
                except StorageUnavailable as error:
                    log.warning("model store away", extra={"model": model.name})
                    if pause is None:
                        raise ModelStoreAway("the object store is away") from error
                    time.sleep(pause)
                except OSError as error:
                    raise ModelCacheFull(f"cannot write the model: {error}") from error
        raise AssertionError("the last pause is None")

    def _download(
        self, model: AIModel, entry: Path, check: Callable[[], None]
    ) -> Manifest:
        aside = entry.with_name(entry.name + PARTIAL)
        manifest = read_manifest(str(model.s3_key))
        if manifest.digest != model.sha256_hash:
            raise ModelCorrupt(f"{model.name} is not the model that was registered")
        self._reserve(manifest, aside, entry)
        Download(model.name, str(model.s3_key), manifest, check).into(aside / FILES)
        aside.rename(entry)
        return manifest

    def _reserve(self, manifest: Manifest, aside: Path, entry: Path) -> None:
        """Make room and take it: from then on others count the whole download."""
        with _locked(self._root / "room.lock"):
            # One that lost bytes on disk is finished like one that was cut.
            if entry.exists():
                shutil.rmtree(aside, ignore_errors=True)
                entry.rename(aside)
            self._make_room(manifest.total, keep={entry.name})
            make_private_folder(aside / FILES)
            with open(aside / MANIFEST, "wb", opener=private_opener) as file:
                file.write(manifest.as_json())

    def _make_room(self, needed: int, *, keep: set[str]) -> None:
        if needed > self._limit:
            raise ModelTooLarge(f"{needed} bytes, and {self._limit} may be kept")
        folders = [path for path in self._root.iterdir() if _is_checkpoint(path)]
        others = [path for path in folders if _digest_of(path) not in keep]
        others.sort(key=lambda path: path.stat().st_mtime)
        used = sum(_bytes_of(path) for path in others)
        for folder in others:
            if used + needed <= self._limit:
                return
            used -= self._evict(folder)
        if used + needed > self._limit:
            raise ModelCacheFull("every other model on this disk is in use")

    def _evict(self, folder: Path) -> int:
        """Remove a checkpoint that nobody uses; returns the bytes that this frees."""
        try:
            held = _lock(self._use(_digest_of(folder)), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        try:
            size = _bytes_of(folder)
            shutil.rmtree(folder)
        finally:
            os.close(held)
        log.info("model evicted", extra={"folder": folder.name, "bytes": size})
        return size


def _kept_manifest(entry: Path) -> Manifest | None:
    """The manifest of a checkpoint whose files have their sizes, else None."""
    try:
        manifest = parse_manifest((entry / MANIFEST).read_bytes())
        sizes = [(entry / FILES / file.path).stat().st_size for file in manifest.files]
    except (OSError, ModelCorrupt):
        return None
    whole = sizes == [file.size for file in manifest.files]
    return manifest if whole else None


def _is_checkpoint(path: Path) -> bool:
    return path.is_dir() and _DIGEST.fullmatch(_digest_of(path)) is not None


def _digest_of(folder: Path) -> str:
    return folder.name.removesuffix(PARTIAL)


def _bytes_of(folder: Path) -> int:
    """What the checkpoint takes, or will take once its download has ended."""
    try:
        return parse_manifest((folder / MANIFEST).read_bytes()).total
    except (OSError, ModelCorrupt):
        files = (path for path in folder.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)


def _cached(files: Path, manifest: Manifest) -> CachedModel:
    if manifest.format == "folder":
        return CachedModel(files, None)
    companion = files / COMPANION if len(manifest.files) > 1 else None
    return CachedModel(files / manifest.files[0].path, companion)


@contextmanager
def _locked(path: Path, check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """One process of this machine at a time; a download may keep others for long."""
    held = _patient_lock(path, check)
    try:
        yield
    finally:
        os.close(held)


def _patient_lock(path: Path, check: Callable[[], None]) -> int:
    while True:
        try:
            return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            check()
            time.sleep(LOCK_SECONDS)


def _lock(path: Path, how: int) -> int:
    """A descriptor that holds the lock until it is closed, or its process dies."""
    held = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(held, how)
    except BaseException:
        os.close(held)
        raise
    return held
