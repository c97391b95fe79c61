"""Find a checkpoint: on disk, in the object store, or on the hub.

Apart from `workers.checkpoints` because the engine forbids the hub once it is imported.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from django.conf import settings

from pingvas.core.storage.stores import object_store

STORE_SCHEME = "s3://"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
Tell = Callable[[str], None]


class Source:
    """A folder, a file, an `s3://` key prefix or a repository of the hub.

    `variant` names the precision to take of a repository that has several.
    """

    def __init__(self, name: str, work: Path, *, variant: str | None = None) -> None:
        self._name = name
        self._work = work
        self._variant = variant

    def fetch(self, tell: Tell, parts: Sequence[str] | None = None) -> Path:
        """The folder or file on disk; FileNotFoundError when there is nothing.

        `parts`: of a repository only these subfolders.
        """
        if Path(self._name).exists():
            return Path(self._name)
        if self._name.startswith(STORE_SCHEME):
            return _from_store(self._name.removeprefix(STORE_SCHEME), self._work)
        if not self._is_repository:
            raise FileNotFoundError("there is no such folder or file")
        from workers.hub import fetch_repository

        return fetch_repository(
            self._name, self._kept, parts=parts, variant=self._variant, tell=tell
        )

    def forget(self) -> None:
        """Drop what was kept of a repository in case the download had to go on."""
        if self._is_repository:
            shutil.rmtree(self._kept, ignore_errors=True)

    @property
    def _is_repository(self) -> bool:
        found = _REPOSITORY.fullmatch(self._name) and not self._name.startswith(".")
        return bool(found) and not Path(self._name).exists()

    @property
    def _kept(self) -> Path:
        folder = self._name.replace("/", "--")
        return Path(settings.MODEL_CACHE_ROOT) / "incoming" / folder


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
