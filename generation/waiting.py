"""Which jobs wait, and which of those may be claimed: written once, for both tongues.

Below the models, whose indexes are made of it. A job that waits for others of its user
(`waits_for`) is claimed once none of them is unfinished (`waits_on` = 0).
"""

from __future__ import annotations

from django.db.models import Q

WAITING_STATUSES = ("pending", "queued")

IS_WAITING = Q(status__in=list(WAITING_STATUSES))
IS_CLAIMABLE = IS_WAITING & Q(waits_on=0)
# Those that were made to wait for others, free by now or not.
IS_WAITING_CHILD = IS_WAITING & Q(waits_for__ne=[])


def waiting(job: str) -> str:
    """`IS_WAITING` as SQL over the table or alias `job`."""
    statuses = ", ".join(f"'{status}'" for status in WAITING_STATUSES)
    return f"{job}.status IN ({statuses})"


def claimable(job: str) -> str:
    return f"{waiting(job)} AND {job}.waits_on = 0"


def waiting_child(job: str) -> str:
    return f"{waiting(job)} AND {job}.waits_for <> '{{}}'"


_UNFINISHED = """(cardinality({job}.waits_for) - (
        SELECT count(*) FROM generation_jobs parent
        WHERE parent.id = ANY({job}.waits_for) AND parent.status = 'completed'
    ))"""
_LOST = """cardinality({job}.waits_for) > (
        SELECT count(*) FROM generation_jobs parent
        WHERE parent.id = ANY({job}.waits_for)
          AND parent.status NOT IN ('failed', 'cancelled')
    )"""


def unfinished_parents(job: str) -> str:
    """SQL: what `waits_on` has to be. A job that is gone counts as unfinished."""
    return _UNFINISHED.format(job=job)


def lost_parent(job: str) -> str:
    """SQL: whether one of the parents will never complete."""
    return _LOST.format(job=job)
