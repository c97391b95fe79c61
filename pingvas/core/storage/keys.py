"""Names of objects in the store: pictures' are made and read here alone."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

# Pictures that jobs made, and those that people brought. Apart: versions from before
# uploads sweep the first alone, and would take a JPEG's thumbnail for an orphan.
IMAGES = "images"
UPLOADS = "uploads"
PICTURES = (IMAGES, UPLOADS)
MODELS = "models"
THUMBNAIL = ".thumb.webp"
# Alone in having thumbnails without its own ending before theirs: it was the first.
_FIRST = ".png"


@dataclass(frozen=True, kw_only=True)
class PictureKey:
    """What the key of a picture's master says.

    folder: one of PICTURES. source_id: the job that made it, or the picture itself
    where none did. sha256: of the bytes. ending: of the file, as in `images.format`.
    """

    folder: str
    user_id: UUID
    source_id: UUID
    sha256: str
    ending: str


def picture_key(parts: PictureKey) -> str:
    """Where the master of a picture lies."""
    folder = f"{parts.folder}/{parts.user_id}/{parts.source_id}"
    return f"{folder}/{parts.sha256}.{parts.ending}"


def read_picture_key(key: str) -> PictureKey | None:
    """What a master's key says; None for one that `picture_key` did not make."""
    match key.split("/"):
        case [folder, user_id, source_id, name] if folder in PICTURES:
            sha256, _, ending = name.partition(".")
        case _:
            return None
    try:
        return PictureKey(
            folder=folder,
            user_id=UUID(user_id),
            source_id=UUID(source_id),
            sha256=sha256,
            ending=ending,
        )
    except ValueError:
        return None


def thumbnail_key(key: str) -> str:
    """The thumbnail's key beside its master's."""
    return f"{key.removesuffix(_FIRST)}{THUMBNAIL}"


def master_key(key: str) -> str:
    """The master's key for its own or its thumbnail's."""
    if not key.endswith(THUMBNAIL):
        return key
    stem = key.removesuffix(THUMBNAIL)
    name = stem.rpartition("/")[2]
    return stem if "." in name else f"{stem}{_FIRST}"
