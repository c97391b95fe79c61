"""Objects as files below MEDIA_ROOT, which no web server shows to anybody."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from django.core.exceptions import SuspiciousFileOperation
from django.urls import reverse
from django.utils._os import safe_join
from django.utils.http import urlencode

from pingvas.core.private_files import (
    close_folder,
    make_private_folder,
    private_opener,
)
from pingvas.core.storage.base import (
    BYTES,
    CHUNK,
    PAGE,
    ObjectMissing,
    StorageUnavailable,
    StoredObject,
    UploadLink,
)
from pingvas.core.storage.local_links import UPLOAD_PATH, sign_download, sign_upload


class LocalStore:
    """An object store in a folder. Writes go aside and are renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, key: str) -> Path:
        """Where the object lies; ObjectMissing for a key that leads elsewhere."""
        try:
            path = Path(safe_join(self._root, key))
        except SuspiciousFileOperation as error:
            raise ObjectMissing from error
        if "\0" in key:
            raise ObjectMissing
        return path

    def put(self, key: str, content: bytes, *, content_type: str) -> None:
        with self.writing(key) as file:
            file.write(content)

    def put_file(self, key: str, path: Path, *, content_type: str = BYTES) -> None:
        with path.open("rb") as source, self.writing(key) as file:
            shutil.copyfileobj(source, file, CHUNK)

    @contextmanager
    def writing(self, key: str) -> Iterator[BinaryIO]:
        """A file that becomes the object when the block ends without an error."""
        with _translated(), self._aside(key) as file:
            yield file

    def size(self, key: str) -> int | None:
        path = self.path(key)
        with _translated():
            return path.stat().st_size if path.is_file() else None

    def open(self, key: str) -> BinaryIO:
        """The object as an open file; ObjectMissing."""
        with _translated():
            return self.path(key).open("rb")

    def read(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        with _translated(), self.open(key) as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def download_link(self, key: str, *, file_name: str, seconds: int) -> str:
        token = sign_download(key, file_name, seconds=seconds)
        return f"{reverse('storage:file')}?{urlencode({'token': token})}"

    def presign_upload(
        self, key: str, *, content_type: str, size: int, seconds: int
    ) -> UploadLink:
        token = sign_upload(key, content_type, size, seconds=seconds)
        return UploadLink(
            url=f"/{UPLOAD_PATH}?{urlencode({'token': token})}",
            headers={"Content-Type": content_type},
        )

    def pages(self, prefix: str) -> Iterator[list[StoredObject]]:
        found = self._below(self.path(prefix))
        with _translated():
            while page := list(islice(found, PAGE)):
                yield page

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            path = self.path(key)
            with _translated():
                path.unlink(missing_ok=True)
            # A folder that is empty, not one that is being filled again.
            with suppress(OSError):
                path.parent.rmdir()

    @contextmanager
    def _aside(self, key: str) -> Iterator[BinaryIO]:
        path = self.path(key)
        # Left behind by a kill, it is an object without a row like any other.
        aside = path.with_name(f"{path.name}.{uuid4().hex}.part")
        try:
            with _open_in_folder(aside) as file:
                close_folder(self._root)
                yield file
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    def _below(self, folder: Path) -> Iterator[StoredObject]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(Path(entry.path))
                continue
            # It may have been removed since the folder was read.
            with suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                yield StoredObject(
                    Path(entry.path).relative_to(self._root).as_posix(),
                    facts.st_size,
                    datetime.fromtimestamp(facts.st_mtime, UTC),
                )


def _open_in_folder(path: Path) -> BinaryIO:
    """Open a new file; once more when its folder was just removed as empty."""
    make_private_folder(path.parent)
    try:
        return _open_private(path)
    except FileNotFoundError:
        make_private_folder(path.parent)
        return _open_private(path)


def _open_private(path: Path) -> BinaryIO:
    return open(path, "xb", opener=private_opener)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ObjectMissing from error
    except OSError as error:
        raise StorageUnavailable from error
