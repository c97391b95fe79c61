"""Which pictures a job reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from gallery.selectors import readable_by
from generation.models import InputRole, JobInput
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement
from pingvas.core.errors import NotFound


class InputNotFound(NotFound):
    """A picture that is named is not there, or not for this user to see."""

    code = "input_not_found"


@dataclass(frozen=True)
class NamedInput:
    """A picture by its role; `position` among those of the same role."""

    image_id: UUID
    role: InputRole
    position: int = 0


# As the service, which may lock. A row that is locked by now is read as it is behind
# the lock; held like this it is neither deleted nor made private before the end.
_LOCK = Statement("""
    SELECT id FROM images
    WHERE id = ANY(%(images)s) AND (user_id = %(user)s OR is_public)
    ORDER BY id FOR SHARE
""")


def record_inputs(
    *, user: User, job_ids: Collection[UUID], inputs: Collection[NamedInput]
) -> None:
    """Note that each of the user's jobs reads these pictures.

    In the transaction that makes the jobs, which acts as the user: what they may not
    see is not found, by the filter and by the policies, nor is what goes meanwhile.
    Raises InputNotFound.
    """
    refuse_unseen(user=user, inputs=inputs)
    named = {each.image_id for each in inputs}
    with acting_as(SERVICE, savepoint=False):
        [rows] = read_together([_LOCK.bind(images=list(named), user=user.id)])
        _refuse_missing(named - {image_id for (image_id,) in rows})
        JobInput.objects.bulk_create(
            JobInput(
                job_id=job_id,
                role=each.role,
                position=each.position,
                image_id=each.image_id,
            )
            for job_id in job_ids
            for each in inputs
        )


def refuse_unseen(*, user: User, inputs: Collection[NamedInput]) -> None:
    """InputNotFound for pictures that the user, who acts, may not see."""
    named = {each.image_id for each in inputs}
    seen = readable_by(user).filter(id__in=named).values_list("id", flat=True)
    _refuse_missing(named - set(seen))


def _refuse_missing(missing: Collection[UUID]) -> None:
    if missing:
        raise InputNotFound(images=sorted(str(each) for each in missing))


def has_lost_an_input(job_id: UUID) -> bool:
    """Whether a picture that the job reads was deleted since it was named."""
    return JobInput.objects.filter(job_id=job_id, image=None).exists()
