"""The timetable of Celery Beat in the staff console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from pingvas.core.management.commands.sync_schedule import DESCRIPTION
from pingvas.core.staff_admin import StaffAdmin, moment

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

    list_display = ("named", "task", "when", "queue", "enabled", "last_run", "runs")
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
    # Of an entry that the product declares: what it does is read, not written.
    declared_fields = (
        "enabled",
        "named",
        "task",
        "when",
        "queue",
        "expire_seconds",
        "described",
        "last_run_at",
        "total_run_count",
    )
    readonly_fields = ("last_run_at", "total_run_count")
    last_run = moment("last_run_at", _("Last run (UTC)"))

    @admin.display(description=_("name"))
    def named(self, task: Any) -> str:
        return gettext(task.name)

    @admin.display(description=_("description"))
    def described(self, task: Any) -> str:
        return gettext(task.description)

    @admin.display(description=_("When"))
    def when(self, task: Any) -> str:
        return str(task.interval or "") or crontab_words(task.crontab)

    @admin.display(description=_("Runs"))
    def runs(self, task: Any) -> int:
        return int(task.total_run_count)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        return self.declared_fields[1:] if _is_declared(obj) else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.declared_fields if _is_declared(obj) else self.fields

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        task = super().get_object(*args, **kwargs)
        if task is not None:
            # The package's name of it ends in "0 4 * * * (m/h/dM/MY/d) UTC".
            task.staff_title = gettext(task.name)
        return task

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return not _is_declared(obj) and super().has_delete_permission(request, obj)


def _is_declared(task: Any) -> bool:
    return getattr(task, "description", "") == DESCRIPTION


def crontab_words(plan: Any) -> str:
    """`every day at 04:00 UTC`; a plan of another shape in its own signs."""
    if plan is None:
        return ""
    rest = (plan.day_of_month, plan.month_of_year, plan.day_of_week)
    daily = set(rest) == {"*"} and plan.hour.isdigit() and plan.minute.isdigit()
    if not daily:
        return str(plan)
    time = f"{int(plan.hour):02}:{int(plan.minute):02}"
    return gettext("every day at %(time)s %(zone)s") % {
        "time": time,
        "zone": plan.timezone,
    }


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(StaffAdmin[Any]):
    search_fields = ()


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(StaffAdmin[Any]):
    list_display = ("when",)
    search_fields = ()
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")

    @admin.display(description=_("When"))
    def when(self, plan: Any) -> str:
        return crontab_words(plan)

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        plan = super().get_object(*args, **kwargs)
        if plan is not None:
            plan.staff_title = crontab_words(plan)
        return plan
