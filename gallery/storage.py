"""Pictures in the object store: the object first, its row after.

A key is made from ids and the content's own hash: a second attempt at a job either
writes the same object or leaves one without a row, which the orphan sweep removes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as PillowImage

from gallery.metadata import png_chunks
from gallery.services import StoredPicture

THUMBNAIL_SIDE = 384
THUMBNAIL_QUALITY = 82
PREFIX = "images"


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """A master PNG and its WebP thumbnail, as bytes."""

    master: bytes
    thumbnail: bytes
    width: int
    height: int
    metadata: dict[str, Any]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.master).hexdigest()


def encode_picture(
    image: PillowImage.Image, metadata: Mapping[str, Any]
) -> EncodedPicture:
    """Make the master, with its metadata chunks, and the thumbnail, without any."""
    master, thumbnail = io.BytesIO(), io.BytesIO()
    image.save(master, "PNG", pnginfo=png_chunks(metadata))
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), PillowImage.Resampling.LANCZOS)
    small.save(thumbnail, "WEBP", quality=THUMBNAIL_QUALITY)
    return EncodedPicture(
        master=master.getvalue(),
        thumbnail=thumbnail.getvalue(),
        width=image.width,
        height=image.height,
        metadata=dict(metadata),
    )


def store_picture(
    encoded: EncodedPicture, *, user_id: UUID, job_id: UUID
) -> StoredPicture:
    """Put both objects into the store; returns what their row shall say."""
    digest = encoded.sha256
    key = f"{PREFIX}/{user_id}/{job_id}/{digest}.png"
    _put(key, encoded.master)
    _put(thumbnail_key(key), encoded.thumbnail)
    return StoredPicture(
        bucket=settings.STORAGE_BUCKET,
        key=key,
        sha256=digest,
        file_size=len(encoded.master),
        width=encoded.width,
        height=encoded.height,
        format="png",
        metadata=encoded.metadata,
    )


def thumbnail_key(key: str) -> str:
    return f"{key.removesuffix('.png')}.thumb.webp"


def _put(key: str, content: bytes) -> None:
    # The key names the content: an object that is there already is the same one.
    if not default_storage.exists(key):
        default_storage.save(key, ContentFile(content))
