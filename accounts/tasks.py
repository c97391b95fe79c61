"""Housekeeping, run by Celery Beat once a day."""

from __future__ import annotations

import logging

from celery import shared_task

from accounts.tokens import purge_token_families
from pingvas.core.api.idempotency import purge_idempotency_keys
from pingvas.core.sessions import purge_sessions

log = logging.getLogger(__name__)


@shared_task(name="accounts.purge_expired")
def purge_expired() -> None:
    """Delete idempotency keys, sign-ins and sessions whose time is over."""
    purged = {
        "idempotency_keys": purge_idempotency_keys(),
        "token_families": purge_token_families(),
        "sessions": purge_sessions(),
    }
    log.info("purged", extra=purged)
