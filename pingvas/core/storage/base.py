"""What an object store does for us, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import NotFound, ServiceUnavailable

CHUNK = 4 * 1024 * 1024
# Objects in one page of a listing, and the most that S3 deletes in one request.
PAGE = 1000
BYTES = "application/octet-stream"
_KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".json": "application/json",
}


class ObjectMissing(NotFound):
    """No object of this key."""

    code = "object_missing"


class StorageUnavailable(ServiceUnavailable):
    """The store does not answer, or not to us; the same may work in a while."""

    code = "storage_unavailable"
    message = _("Pictures are out of reach for a moment. Try again soon.")


@dataclass(frozen=True)
class StoredObject:
    """An object in a listing: its key, bytes, and when it was last written."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, kw_only=True)
class UploadLink:
    """By it anybody may PUT one object: with these headers, of the signed length."""

    url: str
    headers: Mapping[str, str]


def content_type_of(name: str) -> str:
    """What a file or a key of this name holds, by its ending."""
    return _KINDS.get(PurePosixPath(name).suffix.lower(), BYTES)


class ObjectStore(Protocol):
    """Every method raises StorageUnavailable while the store is away."""

    def put(self, key: str, content: bytes, *, content_type: str) -> None:
        """Write the object whole or not at all; one that is there is replaced."""

    def put_file(self, key: str, path: Path, *, content_type: str = BYTES) -> None:
        """The same from a file of any size."""

    def size(self, key: str) -> int | None:
        """Bytes of the object; None when there is none."""

    def read(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """The content from byte `start` on, in chunks; ObjectMissing."""

    def pages(self, prefix: str) -> Iterator[list[StoredObject]]:
        """Objects below `prefix/`, folder by folder, at most PAGE at once."""

    def download_link(self, key: str, *, file_name: str, seconds: int) -> str:
        """A URL by which anybody may save the object as `file_name` for so long.

        The name's ending says what it holds.
        """

    def presign_upload(
        self, key: str, *, content_type: str, size: int, seconds: int
    ) -> UploadLink:
        """A link to put exactly `size` bytes of this type under `key`, for so long.

        Whoever asks for one checks before that so many are allowed: the store takes
        neither more nor fewer, nor anything said to be of another type.
        """

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the objects; those that are gone already count as removed."""
