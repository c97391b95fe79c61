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
from pingvas.core.storage.keys import IMAGES, thumbnail_key
from pingvas.core.storage.stores import object_store

THUMBNAIL_SIDE = 384
THUMBNAIL_QUALITY = 82


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
    """Put both objects into the store; returns what their row shall say.

    StorageUnavailable when the store is away: the same may be put again.
    """
    digest = encoded.sha256
    key = f"{IMAGES}/{user_id}/{job_id}/{digest}.png"
    store = object_store()
    # The master last: where there is one, its thumbnail is there too.
    store.put(thumbnail_key(key), encoded.thumbnail, content_type="image/webp")
    store.put(key, encoded.master, content_type="image/png")
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
