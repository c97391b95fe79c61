"""What the last audit found, for the staff's dashboard.

Kept in the cache: the log has every fault for good, and the next night audits again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.utils import timezone

from billing.services.audit import Fault

_KEY = "billing:last-audit"


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """faults: rows at fault. checks: names of the checks that they break."""

    at: datetime
    faults: int
    checks: tuple[str, ...]


def remember_audit(faults: Sequence[Fault]) -> None:
    record = AuditRecord(
        at=timezone.now(),
        faults=len(faults),
        checks=tuple(sorted({fault.check for fault in faults})),
    )
    cache.set(_KEY, record, timeout=None)


def get_last_audit() -> AuditRecord | None:
    """None when no audit is known."""
    found = cache.get(_KEY)
    return found if isinstance(found, AuditRecord) else None
