"""Which jobs wait, and which of those may be claimed: written once, for both tongues.

Below the models, whose indexes are made of it.
"""

from __future__ import annotations

from django.db.models import Q

WAITING_STATUSES = ("pending", "queued")

IS_WAITING = Q(status__in=list(WAITING_STATUSES))


def waiting(job: str) -> str:
    """`IS_WAITING` as SQL over the table or alias `job`."""
    statuses = ", ".join(f"'{status}'" for status in WAITING_STATUSES)
    return f"{job}.status IN ({statuses})"
