"""The list of a checkpoint's files, as it lies beside them in the object store."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from workers.engine.errors import EngineError

MANIFEST = "manifest.json"
# The folder of what a single file lacks.
COMPANION = "companion"
LARGEST_MANIFEST = 4 * 1024 * 1024


class ModelCorrupt(EngineError):
    """What the store holds is not what was registered."""

    code = "model_corrupt"


@dataclass(frozen=True)
class ModelFile:
    """One file of a checkpoint: path inside it, bytes, SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """`format` is folder or file; the files in the order that the digest takes.

    Behind a single file may stand those of its companion, which gives what it lacks.
    """

    format: str
    files: tuple[ModelFile, ...]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """What `inspect_model` computes over the same files; a single file that has a
        companion is identified together with it, for both decide the pictures."""
        if self.format == "file" and len(self.files) == 1:
            return self.files[0].sha256
        names = [file.path for file in self.files]
        if self.format == "file":
            # Whatever it is called: the same weights stay the same model.
            names[0] = "checkpoint"
        lines = (
            f"{file.sha256}  {name}\n"
            for file, name in zip(self.files, names, strict=True)
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def as_json(self) -> bytes:
        files = [asdict(file) for file in self.files]
        return json.dumps({"format": self.format, "files": files}, indent=1).encode()


def parse_manifest(content: bytes) -> Manifest:
    """ModelCorrupt for anything but a manifest whose files stay in their folder."""
    try:
        found = json.loads(content)
        files = tuple(_file(entry) for entry in found["files"])
        manifest = Manifest(found["format"], files)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelCorrupt(f"the manifest is broken: {error!r}") from error
    beside = all(file.path.startswith(f"{COMPANION}/") for file in files[1:])
    single = manifest.format == "file" and beside
    if not files or not (single or manifest.format == "folder"):
        raise ModelCorrupt(f"a manifest of {len(files)} files: {manifest.format}")
    return manifest


def _file(entry: dict[str, Any]) -> ModelFile:
    file = ModelFile(str(entry["path"]), int(entry["size"]), str(entry["sha256"]))
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or not path.parts or file.size < 0:
        raise ValueError(file.path)
    return file
