"""Bring a checkpoint's files from the object store to the disk."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pingvas.core.private_files import make_private_folder, private_opener
from pingvas.core.storage.base import CHUNK
from pingvas.core.storage.stores import object_store
from workers.manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    Manifest,
    ModelCorrupt,
    ModelFile,
    parse_manifest,
)

log = logging.getLogger(__name__)

SECONDS_A_REPORT = 5.0


def read_manifest(key: str) -> Manifest:
    """The manifest below `key`; ObjectMissing, StorageUnavailable, ModelCorrupt."""
    content = bytearray()
    for chunk in object_store().read(f"{key}/{MANIFEST}"):
        content += chunk
        if len(content) > LARGEST_MANIFEST:
            raise ModelCorrupt(f"the manifest of {key} is too large")
    return parse_manifest(bytes(content))


class Download:
    """One checkpoint on its way to the disk, with its progress in the log.

    `check` is called with every chunk, and may end the download by an exception: what
    is on disk by then is gone on with.
    """

    def __init__(
        self,
        name: str,
        key: str,
        manifest: Manifest,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        self._name = name
        self._key = key
        self._manifest = manifest
        self._done = 0
        self._reported = time.monotonic()

    def into(self, folder: Path) -> None:
        """Finish every file in `folder`; those that are whole are only verified.

        ObjectMissing, StorageUnavailable (call again to go on), ModelCorrupt.
        """
        for file in self._manifest.files:
            target = folder / file.path
            make_private_folder(target.parent)
            before = self._done
            if not self._finish(file, target):
                # The beginning may be another process's debris: once more from zero.
                target.unlink()
                self._done = before
                if not self._finish(file, target):
                    target.unlink()
                    raise ModelCorrupt(f"{self._key}/{file.path} has another hash")
        self._report()

    def _finish(self, file: ModelFile, target: Path) -> bool:
        """Append what is missing; whether the whole has the hash it should have."""
        digest = hashlib.sha256()
        with open(target, "a+b", opener=private_opener) as sink:
            self._take(sink, digest)
            have = sink.tell()
            if have < file.size:
                source = object_store().read(f"{self._key}/{file.path}", start=have)
                for chunk in source:
                    sink.write(chunk)
                    digest.update(chunk)
                    self._advance(len(chunk))
            sink.flush()
            os.fsync(sink.fileno())
        return digest.hexdigest() == file.sha256

    def _take(self, sink: BinaryIO, digest: hashlib._Hash) -> None:
        """Read what is on disk already, up to its end."""
        sink.seek(0)
        while chunk := sink.read(CHUNK):
            digest.update(chunk)
            self._advance(len(chunk))

    def _advance(self, count: int) -> None:
        self._done += count
        self._check()
        if time.monotonic() - self._reported >= SECONDS_A_REPORT:
            self._report()

    def _report(self) -> None:
        self._reported = time.monotonic()
        log.info(
            "model download",
            extra={
                "model": self._name,
                "bytes": self._done,
                "total": self._manifest.total,
            },
        )
