"""Pictures come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from gallery.models import Image


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
    metadata: dict[str, Any]


def record_image(*, job_id: UUID, user_id: UUID, picture: StoredPicture) -> Image:
    """Insert the row of a stored picture; at most one for each job."""
    image_id = uuid4()
    return Image.objects.create(
        id=image_id,
        user_id=user_id,
        job_id=job_id,
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
