"""Scheduled work of billing."""

from __future__ import annotations

import logging

from celery import shared_task

from billing.services.audit import audit_ledger
from billing.services.audit_record import remember_audit

log = logging.getLogger(__name__)


@shared_task(name="billing.audit_ledger", ignore_result=True)
def audit() -> None:
    """Every night: each fault becomes one line that an operator is woken by."""
    faults = audit_ledger()
    remember_audit(faults)
    for fault in faults:
        log.error("ledger fault", extra={"fault": fault})
    log.info("ledger audited", extra={"faults": len(faults)})
