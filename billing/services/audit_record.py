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
from pingvas.core.cache import UNREADABLE, read_moment

_KEY = "billing:last-audit"


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """faults: rows at fault. checks: names of the checks that they break."""

    at: datetime
    faults: int
    checks: tuple[str, ...]


def remember_audit(faults: Sequence[Fault]) -> None:
    checks = sorted({fault.check for fault in faults})
    at = timezone.now().isoformat()
    record = {"at": at, "faults": len(faults), "checks": checks}
    cache.set(_KEY, record, timeout=None)


def get_last_audit() -> AuditRecord | None:
    """None when no audit is known."""
    found = cache.get(_KEY)
    try:
        return AuditRecord(
            at=read_moment(found["at"]),
            faults=int(found["faults"]),
            checks=tuple(map(str, found["checks"])),
        )
    except UNREADABLE:
        return None
