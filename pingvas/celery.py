"""The Celery application: queues, and the rules for delivering messages.

A message says only that there is work; PostgreSQL decides which. So a message may be
delivered twice, late or never, and a job neither runs twice nor is lost.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import django
from celery import Celery, signals
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pingvas.settings")

from django.conf import settings

from pingvas.schedule import MAINTENANCE_QUEUE, SWEEP_QUEUE

# Highest first: kombu asks the queues in the order of their declaration.
TIER_QUEUES = [
    f"queue:{tier}" for tier in ("enterprise", "studio", "pro", "starter", "free")
]
# Far above any job's own deadline; a stuck child is ended by the runner's watchdog.
GLOBAL_TIME_LIMIT_SECONDS = 2 * 3600


def _queue(name: str) -> Queue:
    return Queue(name, routing_key=name)


app = Celery("pingvas")
app.conf.update(
    broker_url=settings.REDIS_URL,
    broker_transport="pingvas.core.broker:Transport",
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "queue_order_strategy": "priority",
        "visibility_timeout": GLOBAL_TIME_LIMIT_SECONDS + 600,
        "socket_timeout": 30,
    },
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_queues=[
        _queue(name) for name in [*TIER_QUEUES, SWEEP_QUEUE, MAINTENANCE_QUEUE]
    ],
    task_default_queue=MAINTENANCE_QUEUE,
    task_time_limit=GLOBAL_TIME_LIMIT_SECONDS,
    worker_prefetch_multiplier=1,
    # A child loads torch before it says that it is up, on a busy machine slowly.
    worker_proc_alive_timeout=120.0,
    worker_hijack_root_logger=False,
    worker_soft_shutdown_timeout=10.0,
    beat_scheduler="pingvas.beat:Scheduler",
    timezone="UTC",
)
if settings.WORKER_KIND == "generation":
    # Between two tasks Celery would close the pool that the child's own threads use;
    # there `workers.service` looks after every connection.
    app.conf.CELERY_DB_REUSE_MAX = sys.maxsize
    # The time to give jobs back is taken before (`workers.tasks`).
    app.conf.worker_soft_shutdown_timeout = 2.0
app.autodiscover_tasks()
import_module("pingvas.core.tracing")


@signals.import_modules.connect
def refuse_unsafe_start(**kwargs: Any) -> None:
    """Worker and Beat send this signal once, before they touch the broker."""
    django.setup()
    from pingvas.core.checks import refuse_unsafe_production
    from pingvas.core.db.login import expect_login
    from pingvas.core.db.roles import WORKER

    refuse_unsafe_production()
    expect_login(WORKER)
