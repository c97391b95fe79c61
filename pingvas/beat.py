"""Beat's scheduler, with a sign of life that a health check can look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # untyped package
    """Touches BEAT_HEARTBEAT_PATH at every tick, which comes at least each 5 s."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        if settings.BEAT_HEARTBEAT_PATH:
            Path(settings.BEAT_HEARTBEAT_PATH).touch()
        return super().tick(*args, **kwargs)
