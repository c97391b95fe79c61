"""Scheduled work of the queue."""

from __future__ import annotations

import logging

from celery import shared_task

from generation.services.stats import refresh_user_stats
from generation.services.sweep import sweep

log = logging.getLogger(__name__)


@shared_task(name="generation.sweep", ignore_result=True)
def sweep_queue() -> None:
    done = sweep()
    if any(done.values()):
        log.info("queue swept", extra=done)


@shared_task(name="generation.refresh_user_stats", ignore_result=True)
def refresh_stats() -> None:
    refresh_user_stats()
