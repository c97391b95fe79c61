"""The object store that the settings name: for pictures and for checkpoints."""

from __future__ import annotations

from django.conf import settings
from django.core.files.storage import default_storage

from pingvas.core.db.unit_of_work import refuse_open_unit_of_work
from pingvas.core.storage.base import ObjectStore
from pingvas.core.storage.local import LocalStore
from pingvas.core.storage.local_links import LinkExpired


def object_store() -> ObjectStore:
    """The store. UnitOfWorkOpen in a request that still holds its transaction."""
    refuse_open_unit_of_work()
    if settings.STORAGE_BACKEND == "s3":
        # Imported here: local files do without Amazon's libraries.
        from pingvas.core.storage.s3 import S3Store

        return S3Store(default_storage)
    return LocalStore(settings.MEDIA_ROOT)


def local_store() -> LocalStore:
    """The folder; LinkExpired where there is none: its links lead nowhere any more."""
    store = object_store()
    if not isinstance(store, LocalStore):
        raise LinkExpired
    return store
