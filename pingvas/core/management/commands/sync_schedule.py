from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.schedule import SCHEDULE, Entry

# Marks the rows that are ours, so that staff may add others by hand.
DESCRIPTION = "Declared in pingvas/schedule.py"


class Command(BaseCommand):
    """Bring the declared schedule to the database; what ran last is kept."""

    help = (
        "Brings the schedule of pingvas/schedule.py to Celery Beat; may be run again."
    )

    @acting_as(SERVICE)
    def handle(self, *args: Any, **options: Any) -> None:
        for entry in SCHEDULE:
            PeriodicTask.objects.update_or_create(
                name=entry.name, defaults={**_when(entry), **_what(entry)}
            )
            self.stdout.write(f"{entry.task}: {entry.when}")
        kept = [entry.name for entry in SCHEDULE]
        ours = PeriodicTask.objects.filter(description=DESCRIPTION)
        for task in ours.exclude(name__in=kept):
            task.delete()
            self.stdout.write(f"{task.task}: no longer scheduled")


def _what(entry: Entry) -> dict[str, Any]:
    return {
        "task": entry.task,
        "queue": entry.queue,
        "expire_seconds": int(entry.expires.total_seconds()),
        "description": DESCRIPTION,
    }


def _when(entry: Entry) -> dict[str, Any]:
    if isinstance(entry.when, timedelta):
        interval, _ = IntervalSchedule.objects.get_or_create(
            every=int(entry.when.total_seconds()), period=IntervalSchedule.SECONDS
        )
        return {"interval": interval, "crontab": None}
    crontab, _ = CrontabSchedule.objects.get_or_create(
        hour=str(entry.when.hour), minute=str(entry.when.minute), timezone="UTC"
    )
    return {"interval": None, "crontab": crontab}
