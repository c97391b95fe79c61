"""Who may see which picture, and which objects have a row."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from gallery.models import Image
from pingvas.core.errors import NotFound
from pingvas.core.storage.keys import IMAGES


def images_for(user: User) -> QuerySet[Image]:
    """The user's own pictures, for lists that page by `(-created_at, -id)`."""
    # Explicit beside the policies: those also let public pictures through, and the
    # two conditions together would not use the index.
    return Image.objects.filter(user_id=user.id)


def access_image(user: User, image_id: UUID) -> Image:
    """The user's own picture, or NotFound."""
    image = images_for(user).filter(id=image_id).first()
    if image is None:
        raise NotFound
    return image


def keys_with_rows(keys: Collection[str]) -> set[str]:
    """Those of `keys` (of masters) that some picture's row names. Acts as the service.

    Keys are not indexed. A key names its user and its job, and those are: nearly all
    are found by their job, and a picture whose job is gone by its user.
    """
    owners = {key: _owner(key) for key in keys}
    jobs = {owner[1] for owner in owners.values() if owner}
    found = _keys_of(Image.objects.filter(job_id__in=jobs, s3_key__in=keys))
    rest = owners.keys() - found
    if not rest:
        return found
    others = Image.objects.filter(s3_key__in=rest)
    users = {owner[0] for key in rest if (owner := owners[key])}
    # A key that we did not make may be anybody's: only then is every row asked.
    if all(owners[key] for key in rest):
        others = others.filter(user_id__in=users)
    return found | _keys_of(others)


def _keys_of(images: QuerySet[Image]) -> set[str]:
    return set(images.values_list("s3_key", flat=True))


def _owner(key: str) -> tuple[UUID, UUID] | None:
    """The user and the job of a key like images/{user}/{job}/{sha256}.png."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != IMAGES:
        return None
    try:
        return UUID(parts[1]), UUID(parts[2])
    except ValueError:
        return None
