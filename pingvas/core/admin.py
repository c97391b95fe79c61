"""The timetable of Celery Beat in the staff console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from pingvas.core.management.commands.sync_schedule import DESCRIPTION
from pingvas.core.staff_admin import StaffAdmin

# The package's own pages, without the console's style; two kinds are not used here.
for model in (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(StaffAdmin[Any]):
    """A declared entry can be paused; what it does is decided by the declaration."""

    list_display = ("name", "task", "when", "queue", "enabled", "last_run_at", "runs")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab")
    ordering = ("name",)
    search_fields = ()
    fields = (
        "enabled",
        "name",
        "task",
        "interval",
        "crontab",
        "queue",
        "kwargs",
        "expire_seconds",
        "description",
        "last_run_at",
        "total_run_count",
    )
    readonly_fields = ("last_run_at", "total_run_count")

    @admin.display(description=_("When"))
    def when(self, task: Any) -> str:
        return str(task.interval or task.crontab or "")

    @admin.display(description=_("Runs"))
    def runs(self, task: Any) -> int:
        return int(task.total_run_count)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        declared = obj is not None and obj.description == DESCRIPTION
        return self.fields[1:] if declared else self.readonly_fields

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        declared = getattr(obj, "description", "") == DESCRIPTION
        return not declared and super().has_delete_permission(request, obj)


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(StaffAdmin[Any]):
    search_fields = ()


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(StaffAdmin[Any]):
    search_fields = ()
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
