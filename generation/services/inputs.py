"""Which pictures a job reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from gallery.selectors import readable_by
from generation.models import InputRole, JobInput
from pingvas.core.db.actor import SERVICE, acting_as
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


def record_inputs(
    *, user: User, job_ids: Collection[UUID], inputs: Collection[NamedInput]
) -> None:
    """Note that each of the user's jobs reads these pictures.

    In the transaction that makes the jobs, which acts as the user: what they may not
    see is not found, by the filter and by the policies. Raises InputNotFound.
    """
    named = {each.image_id for each in inputs}
    seen = readable_by(user).filter(id__in=named).values_list("id", flat=True)
    if missing := named - set(seen):
        raise InputNotFound(images=sorted(str(each) for each in missing))
    with acting_as(SERVICE, savepoint=False):
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


def has_lost_an_input(job_id: UUID) -> bool:
    """Whether a picture that the job reads was deleted since it was named."""
    return JobInput.objects.filter(job_id=job_id, image=None).exists()
