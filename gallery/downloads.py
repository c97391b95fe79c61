"""Links to the bytes of a picture, for those who may have it."""

from __future__ import annotations

from django.utils.text import slugify

from gallery.models import Image
from pingvas.core.storage.base import ObjectMissing
from pingvas.core.storage.keys import thumbnail_key
from pingvas.core.storage.stores import object_store

LINK_SECONDS = 300
# A thumbnail's weight, many times over: what is read into memory has an end.
LARGEST_THUMBNAIL = 4 * 1024 * 1024


def download_link(image: Image) -> str:
    """A URL that saves the master under a readable name, good for LINK_SECONDS."""
    return object_store().download_link(
        image.s3_key, file_name=file_name(image), seconds=LINK_SECONDS
    )


def file_name(image: Image) -> str:
    """When it was made, by which model and from which seed; never words of a prompt.

    The name travels in URLs, and URLs in logs.
    """
    settings = image.metadata or {}
    parts = [
        "pingvas",
        f"{image.created_at:%Y%m%d-%H%M%S}",
        slugify(str(settings.get("model", "")))[:40],
        slugify(str(settings.get("seed", ""))),
        image.id.hex[:8],
    ]
    return f"{'_'.join(part for part in parts if part)}.{image.format}"


def read_thumbnail(image: Image) -> bytes:
    """The WebP; ObjectMissing when it is lost, StorageUnavailable for now."""
    content = bytearray()
    for chunk in object_store().read(thumbnail_key(image.s3_key)):
        content += chunk
        if len(content) > LARGEST_THUMBNAIL:
            raise ObjectMissing
    return bytes(content)


def thumbnail_etag(image: Image) -> str:
    """Changes with the picture; known without reading the object."""
    return f'"{image.sha256 or image.id.hex}-thumb"'
