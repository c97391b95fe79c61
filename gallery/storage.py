"""Pictures in the object store: the object first, its row after.

A key is made from ids and the content's own hash: a second attempt at a job either
writes the same object again, which makes it whole and young, or leaves one without a
row, which the orphan sweep removes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from PIL import Image as PillowImage

from gallery.metadata import png_chunks
from gallery.services import StoredPicture
from pingvas.core.storage.base import content_type_of
from pingvas.core.storage.keys import IMAGES, PictureKey, picture_key, thumbnail_key
from pingvas.core.storage.stores import object_store

THUMBNAIL_SIDE = 384
THUMBNAIL_QUALITY = 82


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """A master and its WebP thumbnail, as bytes; `format` is the master's."""

    master: bytes
    thumbnail: bytes
    width: int
    height: int
    format: str = "png"
    metadata: dict[str, Any] | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.master).hexdigest()


def encode_picture(
    image: PillowImage.Image, metadata: Mapping[str, Any]
) -> EncodedPicture:
    """Make the master, with its metadata chunks, and the thumbnail, without any."""
    master = io.BytesIO()
    image.save(master, "PNG", pnginfo=png_chunks(metadata))
    return EncodedPicture(
        master=master.getvalue(),
        thumbnail=encode_thumbnail(image),
        width=image.width,
        height=image.height,
        metadata=dict(metadata),
    )


def encode_thumbnail(image: PillowImage.Image) -> bytes:
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), PillowImage.Resampling.LANCZOS)
    thumbnail = io.BytesIO()
    small.save(thumbnail, "WEBP", quality=THUMBNAIL_QUALITY)
    return thumbnail.getvalue()


def store_picture(
    encoded: EncodedPicture, *, user_id: UUID, source_id: UUID, folder: str = IMAGES
) -> StoredPicture:
    """Put both objects into the store; returns what their row shall say.

    source_id: the job; the picture's own id, in the folder UPLOADS, where no job made
    it. StorageUnavailable when the store is away: the same may be put again.
    """
    digest = encoded.sha256
    parts = PictureKey(
        folder=folder,
        user_id=user_id,
        source_id=source_id,
        sha256=digest,
        ending=encoded.format,
    )
    key, store = picture_key(parts), object_store()
    # The master last: where there is one, its thumbnail is there too.
    for name, content in (
        (thumbnail_key(key), encoded.thumbnail),
        (key, encoded.master),
    ):
        store.put(name, content, content_type=content_type_of(name))
    return StoredPicture(
        bucket=settings.STORAGE_BUCKET,
        key=key,
        sha256=digest,
        file_size=len(encoded.master),
        width=encoded.width,
        height=encoded.height,
        format=encoded.format,
        metadata=encoded.metadata,
    )
