"""What an object store does for us, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import NotFound, ServiceUnavailable

CHUNK = 4 * 1024 * 1024
# Objects in one page of a listing, and the most that S3 deletes in one request.
PAGE = 1000


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


class ObjectStore(Protocol):
    """Every method raises StorageUnavailable while the store is away."""

    def put(self, key: str, content: bytes, *, content_type: str) -> None:
        """Write the object whole or not at all; one that is there is replaced."""

    def put_file(self, key: str, path: Path) -> None:
        """The same from a file of any size."""

    def size(self, key: str) -> int | None:
        """Bytes of the object; None when there is none."""

    def read(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        """The content from byte `start` on, in chunks; ObjectMissing."""

    def pages(self, prefix: str) -> Iterator[list[StoredObject]]:
        """Objects below `prefix/`, folder by folder, at most PAGE at once."""

    def download_link(self, key: str, *, file_name: str, seconds: int) -> str:
        """A URL by which anybody may save a PNG as `file_name` for so long."""

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the objects; those that are gone already count as removed."""
