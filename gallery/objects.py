"""The object store that the settings name: for pictures and for checkpoints."""

from __future__ import annotations

from django.conf import settings
from django.core.files.storage import default_storage

from gallery.object_stores.base import ObjectStore
from gallery.object_stores.local import LocalStore

IMAGES = "images"


def object_store() -> ObjectStore:
    if settings.STORAGE_BACKEND == "s3":
        # Imported here: local files do without Amazon's libraries.
        from gallery.object_stores.s3 import S3Store

        return S3Store(default_storage)
    return LocalStore(settings.MEDIA_ROOT)


def thumbnail_key(key: str) -> str:
    """The thumbnail's key beside its master's."""
    return f"{key.removesuffix('.png')}.thumb.webp"


def master_key(key: str) -> str:
    """The master's key for its own or its thumbnail's."""
    if key.endswith(".thumb.webp"):
        return f"{key.removesuffix('.thumb.webp')}.png"
    return key
