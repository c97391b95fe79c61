"""Housekeeping, run by Celery Beat once a day."""

from __future__ import annotations

import logging

from celery import shared_task

from accounts.tokens import purge_token_families
from pingvas.core.api.idempotency import purge_idempotency_keys

log = logging.getLogger(__name__)


@shared_task(name="accounts.purge_expired")
def purge_expired() -> None:
    """Delete idempotency keys and sign-ins whose time is over."""
    keys, families = purge_idempotency_keys(), purge_token_families()
    log.info("purged", extra={"idempotency_keys": keys, "token_families": families})
