"""Pictures come and go."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from gallery.models import Image
from pingvas.core.errors import NotFound, PingvasError
from pingvas.core.storage.keys import thumbnail_key
from pingvas.core.storage.stores import object_store

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StoredPicture:
    """A picture whose bytes are in the object store already."""

    bucket: str
    key: str
    sha256: str
    file_size: int
    width: int
    height: int
    format: str
    metadata: dict[str, Any] | None


def record_image(*, job_id: UUID, user_id: UUID, picture: StoredPicture) -> Image:
    """Insert the row of a stored picture; at most one for each job."""
    image = image_row(uuid4(), user_id, picture)
    image.job_id = job_id
    image.save(force_insert=True)
    return image


def image_row(image_id: UUID, user_id: UUID, picture: StoredPicture) -> Image:
    """The row of a stored picture, not yet written."""
    return Image(
        id=image_id,
        user_id=user_id,
        s3_bucket=picture.bucket,
        s3_key=picture.key,
        sha256=picture.sha256,
        thumbnail_url=f"/api/v1/images/{image_id}/thumbnail",
        width=picture.width,
        height=picture.height,
        file_size=picture.file_size,
        format=picture.format,
        metadata=picture.metadata,
    )


@transaction.atomic
def delete_image(*, user_id: UUID, image_id: UUID) -> None:
    """Remove the user's own picture: its row now, its objects after the commit.

    NotFound for one that is not the user's, or is gone already. Job, receipt and
    ledger stay: what was drawn was paid for.
    """
    image = (
        Image.objects.select_for_update().filter(id=image_id, user_id=user_id).first()
    )
    if image is None:
        raise NotFound
    key = image.s3_key
    image.delete()
    transaction.on_commit(lambda: remove_objects(key))


def remove_objects(key: str) -> None:
    """Remove a picture's objects; what the store does not take now, the sweep does."""
    try:
        object_store().delete([key, thumbnail_key(key)])
    except PingvasError:
        # The row is gone for good; the orphan sweep removes what is left.
        log.warning("objects not removed", extra={"key": key}, exc_info=True)
