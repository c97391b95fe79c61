"""Send a Celery message once the transaction has committed.

Upward calls go by task name. A message is only a hint: PostgreSQL knows the work, and
the sweeper repeats what got lost, so a broker that is away is logged and forgiven.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def send_task(
    name: str, *, queue: str, kwargs: dict[str, Any], expires: float | None = None
) -> None:
    """Publish now, without retries; a broker that is away is logged."""
    # Imported late: the application reads the settings.
    from pingvas.celery import app

    try:
        app.send_task(
            name,
            kwargs=kwargs,
            queue=queue,
            expires=expires,
            retry=False,
            ignore_result=True,
            # For those who watch; what Celery would make of them takes longer.
            argsrepr="()",
            kwargsrepr=repr(kwargs),
        )
    except (OperationalError, OSError):
        log.warning("message not sent", extra={"task": name, "queue": queue})


def send_task_on_commit(name: str, *, queue: str, kwargs: dict[str, Any]) -> None:
    transaction.on_commit(lambda: send_task(name, queue=queue, kwargs=kwargs))
