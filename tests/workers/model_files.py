"""Checkpoints of a few bytes in a store, and processes that download them."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from pathlib import Path

from modelhub.models import AIModel
from pingvas.core.storage import local
from pingvas.core.storage.base import ObjectStore
from pingvas.core.storage.local import LocalStore
from workers.manifest import MANIFEST, Manifest, ModelFile
from workers.model_cache import ModelCache

CONTENT = {
    "model_index.json": b'{"a": 1}',
    "unet/config.json": b"",
    "unet/weights.safetensors": bytes(range(256)) * 400,
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def publish(store: ObjectStore, name="tiny", content=None, form="folder") -> AIModel:
    """The files under their digest, and the model as the database would have it."""
    content = content or CONTENT
    files = tuple(
        ModelFile(path, len(body), sha256(body)) for path, body in content.items()
    )
    manifest = Manifest(form, files)
    key = f"models/{manifest.digest}"
    for path, body in content.items():
        store.put(f"{key}/{path}", body, content_type="x/x")
    store.put(f"{key}/{MANIFEST}", manifest.as_json(), content_type="x/x")
    return AIModel(name=name, s3_key=key, sha256_hash=manifest.digest)


def of_size(size: int, seed: int) -> dict[str, bytes]:
    return {"weights": bytes([seed]) * size}


def files_in(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def cached(root: Path) -> set[str]:
    """The checkpoints in a cache, whole ones and others."""
    return {path.name for path in root.iterdir() if path.is_dir()}


class Downloader:
    """A process that puts a model into the cache below `root`, then stays for a while.

    Reads `size` bytes at once, with a pause after each, and tells what it does:
    ("read", file, moment), ("took", file, moment), ("ready", path, moment). Forked, so
    that it starts at once.
    """

    def __init__(self, root, model, *, size=10**6, pause=0.0, stay=0.0) -> None:
        fork = multiprocessing.get_context("fork")
        self._ear, mouth = fork.Pipe(duplex=False)
        self.told = []
        self._process = fork.Process(
            target=_download, args=(mouth, root, model, size, pause, stay), daemon=True
        )
        self._process.start()
        mouth.close()

    def wait_for(self, word: str, name: str = "", times: int = 1) -> None:
        """Return once it told this so many times; EOFError when it ended before."""
        while times:
            if not self._ear.poll(30):
                raise TimeoutError(word)
            told = self._ear.recv()
            self.told.append(told)
            times -= told[0] == word and name in told[1]

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._ear.close()

    def finish(self) -> list[tuple[str, str, float]]:
        """All that it told, once it has ended well."""
        self.wait_for("ready")
        self._process.join()
        self._ear.close()
        assert self._process.exitcode == 0
        return self.told


def _download(mouth, root, model, size, pause, stay) -> None:
    whole = LocalStore.read

    def slowly(store, key, *, start=0):
        name = key.rpartition("/")[2]
        mouth.send(("read", name, time.monotonic()))
        for chunk in whole(store, key, start=start):
            yield chunk
            # What was given before is written now.
            mouth.send(("took", name, time.monotonic()))
            time.sleep(pause)

    local.CHUNK = size
    LocalStore.read = slowly
    cache = ModelCache(root, 10**9)
    path = cache.ensure(model).path
    mouth.send(("ready", str(path), time.monotonic()))
    # The cache holds the model for as long as it is there itself.
    time.sleep(stay)
    cache.release()
