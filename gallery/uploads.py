"""Pictures that people bring: made safe, stored, and one row for equal ones.

The object comes before the row, as everywhere: what a crash leaves, or the later of two
equal uploads could not remove, is an object without a row and goes with the orphan
sweep. Each attempt has keys of its own, so that removing one picture's objects never
takes another's, equal or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from accounts.models import User
from gallery.models import Image, Origin
from gallery.services import StoredPicture, image_row, remove_objects
from gallery.storage import store_picture
from gallery.upload_decoding import prepare_upload
from gallery.usage import refuse_full_storage
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.errors import ServiceUnavailable
from pingvas.core.storage.keys import UPLOADS

# An equal picture may come and go again between the look and the row.
_TRIES = 3


@dataclass(frozen=True)
class Upload:
    """The picture, and whether it was not there before."""

    image: Image
    is_new: bool


def upload_picture(*, user: User, content: bytes) -> Upload:
    """Keep the picture in `content` for the user; equal bytes are one picture.

    Takes seconds and waits for the store: not to be called within a transaction.
    Raises what `prepare_upload` raises, StorageFull, and StorageUnavailable.
    """
    encoded = prepare_upload(content)
    image_id = uuid4()
    known = _find(user.id, encoded.sha256)
    if known is not None:
        return Upload(known, is_new=False)
    refuse_full_storage(user, more=len(encoded.master))
    stored = store_picture(encoded, user_id=user.id, source_id=image_id, folder=UPLOADS)
    image = _insert_or_find(image_id, user.id, stored)
    if image.id != image_id:
        remove_objects(stored.key)
    return Upload(image, is_new=image.id == image_id)


def _find(user_id: UUID, sha256: str) -> Image | None:
    with acting_as(user_actor(user_id)):
        return Image.objects.filter(
            user_id=user_id, sha256=sha256, origin=Origin.UPLOADED
        ).first()


def _insert_or_find(image_id: UUID, user_id: UUID, stored: StoredPicture) -> Image:
    """The new row, or that of an equal picture that came in between."""
    row = image_row(image_id, user_id, stored)
    row.origin = Origin.UPLOADED
    for _ in range(_TRIES):
        with acting_as(SERVICE):
            # One that is being written is waited for: then nothing is inserted.
            Image.objects.bulk_create([row], ignore_conflicts=True)
        found = _find(user_id, stored.sha256)
        if found is not None:
            return found
    remove_objects(stored.key)
    raise ServiceUnavailable
