"""Who may see which picture, and which objects have a row."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from gallery.models import SHOWN, Image
from pingvas.core.errors import NotFound
from pingvas.core.storage.keys import read_picture_key


def gallery_of(user: User) -> QuerySet[Image]:
    """The user's pictures as the gallery shows them, made and brought.

    For lists that page by `(-created_at, -id)`, and for counts; masks and control
    pictures are inputs of jobs, found by those alone.
    """
    # Explicit beside the policies: those also let public pictures through, and the
    # two conditions together would not use the index.
    return Image.objects.filter(user_id=user.id, origin__in=SHOWN)


def readable_by(user: User) -> QuerySet[Image]:
    """Every picture that the user may see, whoever's; to be asked for by id alone.

    Never a list: of "mine or public" no index gives a page.
    """
    return Image.objects.filter(Q(user_id=user.id) | Q(is_public=True))


def access_image(user: User, image_id: UUID) -> Image:
    """The user's own picture of any origin, or NotFound."""
    image = Image.objects.filter(user_id=user.id, id=image_id).first()
    if image is None:
        raise NotFound
    return image


def keys_with_rows(keys: Collection[str]) -> set[str]:
    """Those of `keys` (of masters) that some picture's row names. Acts as the service.

    Keys are not indexed. A key names its user and what the picture came of, and those
    are: nearly all are found by their job or id, and a picture whose job is gone by its
    user.
    """
    read = {key: read_picture_key(key) for key in keys}
    sources = {parts.source_id for parts in read.values() if parts}
    found = _keys_of(
        Image.objects.filter(Q(job_id__in=sources) | Q(id__in=sources), s3_key__in=keys)
    )
    rest = read.keys() - found
    if not rest:
        return found
    others = Image.objects.filter(s3_key__in=rest)
    users = {parts.user_id for key in rest if (parts := read[key])}
    # A key that we did not make may be anybody's: only then is every row asked.
    if all(read[key] for key in rest):
        others = others.filter(user_id__in=users)
    return found | _keys_of(others)


def _keys_of(images: QuerySet[Image]) -> set[str]:
    return set(images.values_list("s3_key", flat=True))
