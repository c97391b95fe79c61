"""How many bytes a user's pictures take, and how many they may.

Triggers note what each statement changes; Beat folds that into one number a user. At
any moment the number and the deltas together are what a recount would find.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.tiers import limits_for
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.errors import PingvasError

FOLDED_AT_ONCE = 10_000
# One statement, and so of one moment: a folding in between would count twice, or not.
_USED = """
SELECT coalesce((SELECT bytes FROM picture_storage WHERE user_id = %(user)s), 0)
     + coalesce((SELECT sum(bytes) FROM picture_storage_deltas
                 WHERE user_id = %(user)s), 0)
"""
# In the order of users, so that two foldings never wait for each other in a circle.
_FOLD = """
WITH taken AS (
    DELETE FROM picture_storage_deltas WHERE id IN (
        SELECT id FROM picture_storage_deltas ORDER BY id LIMIT %(most)s
        FOR UPDATE SKIP LOCKED
    ) RETURNING user_id, bytes
), folded AS (
    INSERT INTO picture_storage AS kept (user_id, bytes)
    SELECT taken.user_id, sum(taken.bytes) FROM taken JOIN users ON id = taken.user_id
    GROUP BY taken.user_id ORDER BY taken.user_id
    ON CONFLICT (user_id) DO UPDATE SET bytes = kept.bytes + excluded.bytes
)
SELECT count(*) FROM taken
"""


class StorageFull(PingvasError):
    """`used` and `limit` are bytes. Nothing is deleted, and what is made is kept."""

    code = "storage_full"
    status = 403
    message = _("Your plan's storage is full. Delete pictures or choose a larger plan.")


def picture_bytes_of(user_id: UUID) -> int:
    """Bytes of the masters of all of the user's pictures."""
    with acting_as(user_actor(user_id)), connection.cursor() as cursor:
        cursor.execute(_USED, {"user": user_id})
        return int(cursor.fetchone()[0])


def refuse_full_storage(user: User, *, more: int) -> None:
    """StorageFull where `more` bytes do not fit the user's plan any more.

    Uploads that come at once may together go a little beyond it: the next is refused.
    """
    limit = limits_for(user.tier).picture_bytes
    if limit is None:
        return
    used = picture_bytes_of(user.id)
    if used + more > limit:
        raise StorageFull(used=used, limit=limit)


def fold_picture_bytes() -> int:
    """Add the deltas to the users' numbers; returns how many there were."""
    total = 0
    while folded := _fold_some():
        total += folded
    return total


def _fold_some() -> int:
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute(_FOLD, {"most": FOLDED_AT_ONCE})
        return int(cursor.fetchone()[0])
