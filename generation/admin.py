"""Jobs and workers in the staff console."""

from __future__ import annotations

from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.tiers import Tier
from generation.failures import words_for_staff
from generation.models import WORKER_SILENCE, GenerationJob, JobStatus, Worker
from generation.services.lifecycle import cancel_job
from generation.services.submit import retry_job
from generation.states import FAILED, LIVE
from generation.timeline import job_timeline
from pingvas.core.db.actor import acting_as, user_actor
from pingvas.core.staff_admin import (
    ChoicesFilter,
    DialogForm,
    ReadOnlyAdmin,
    choice,
    dialog_action,
    file_weight,
    labelled,
    moment,
    row_or_404,
    run_dialog,
    tier_name,
)
from pingvas.core.staff_words import in_words
from pingvas.recipe.settings import ADVANCED_PARAMS, PROMPTS, SETTINGS, SIDES

CANCEL_JOB: dict[str, Any] = {
    "title": _("Cancel this job?"),
    "description": _(
        "A waiting job ends at once and costs nothing. A running one is asked to stop "
        "and is charged for the GPU time it had. A job that has ended stays as it is."
    ),
    "form_class": DialogForm,
    "form_submit_text": _("Cancel the job"),
}
RETRY_JOB: dict[str, Any] = {
    "title": _("Run this job once more?"),
    "description": _(
        "Submits a new job with the same settings for its owner, whose plan and "
        "credits decide as if they had asked themselves."
    ),
    "form_class": DialogForm,
    "form_submit_text": _("Submit again"),
}


class TierFilter(admin.SimpleListFilter):
    """The five names, without asking a table of millions which of them it has."""

    title = _("tier")
    parameter_name = "tier"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Tier.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(tier=self.value()) if self.value() else queryset


@admin.register(GenerationJob)
class GenerationJobAdmin(ReadOnlyAdmin[GenerationJob]):
    """Jobs are never edited; their change permission is to cancel and to retry."""

    COLOURS: ClassVar = {
        JobStatus.QUEUED: "info",
        JobStatus.IN_PROGRESS: "warning",
        JobStatus.COMPLETED: "success",
        JobStatus.FAILED: "danger",
    }

    list_display = (
        "when",
        "user",
        "state",
        "plan",
        "model",
        "size",
        "quote",
        "charge",
        "gpu_seconds",
        "error",
    )
    list_filter = (("status", ChoicesFilter), TierFilter, "created_at")
    list_select_related = ("user",)
    ordering = ("-created_at",)
    search_ids = ("id", "user_id", "submission_id", "batch_id")
    actions_detail = ("cancel", "retry")
    readonly_fields = ("plan", "said_state", "size", "asked_seed", "timeline")
    # A coloured label is for lists alone.
    said_state = choice("status", _("Status"))
    when = moment("created_at")
    fieldsets = (
        (None, {"fields": ("said_state", "user", "plan", "model", "timeline")}),
        (
            _("Settings"),
            {
                "classes": ["tab"],
                "fields": (
                    *PROMPTS,
                    "size",
                    *(name for name in SETTINGS if name not in (*PROMPTS, *SIDES)),
                    ADVANCED_PARAMS,
                    "asked_seed",
                    "resolved_seed",
                ),
            },
        ),
        (
            _("Charge"),
            {
                "classes": ["tab"],
                "fields": ("quoted_credits", "credits_consumed", "duration_seconds"),
            },
        ),
        (
            _("Record"),
            {
                "classes": ["tab"],
                "fields": (
                    "id",
                    "submission",
                    "batch_id",
                    "batch_index",
                    "batch_size",
                    "retried_from",
                    "request_id",
                    "attempt",
                    "worker_id",
                    "lease_expires_at",
                    "deadline_at",
                    "pass_size",
                    "error_code",
                    "error_message",
                ),
            },
        ),
    )

    @labelled(_("Status"), COLOURS)
    def state(self, job: GenerationJob) -> tuple[str, str]:
        return job.status, in_words(job, "status")

    @admin.display(description=_("Size"))
    def size(self, job: GenerationJob) -> str:
        return f"{job.width}×{job.height}"

    @admin.display(description=_("seed"))
    def asked_seed(self, job: GenerationJob) -> str:
        return gettext("random") if job.seed < 0 else str(job.seed)

    @admin.display(description=_("Quote"))
    def quote(self, job: GenerationJob) -> int:
        return job.quoted_credits

    @admin.display(description=_("Charge"))
    def charge(self, job: GenerationJob) -> int | None:
        return job.credits_consumed

    @admin.display(description=_("GPU s"))
    def gpu_seconds(self, job: GenerationJob) -> int | None:
        return job.duration_seconds

    @admin.display(description=_("Error"))
    def error(self, job: GenerationJob) -> str | None:
        return words_for_staff(job.error_code) if job.status == FAILED else None

    @admin.display(description=_("tier"))
    def plan(self, job: GenerationJob) -> str:
        return tier_name(job)

    @admin.display(description=_("Timeline"))
    def timeline(self, job: GenerationJob) -> str:
        return render_to_string("staff/job_timeline.html", job_timeline(job))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what this job's state allows; the services decide once more."""
        job = self.get_object(request, str(object_id))
        live = job is not None and job.status in LIVE
        wanted = self.cancel if live else self.retry
        offered = cast("Any", super()).get_actions_detail(request, object_id)
        return [action for action in offered if action.method == wanted]

    def has_run_jobs_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        user: Any = request.user
        return bool(user.has_perm("generation.change_generationjob"))

    @dialog_action(
        description=_("Cancel"),
        url_path="cancel",
        permissions=["run_jobs"],
        dialog=CANCEL_JOB,
    )
    def cancel(
        self, request: HttpRequest, form: DialogForm, object_id: str
    ) -> HttpResponse:
        job = row_or_404(GenerationJob.objects.all(), object_id)

        def work() -> str:
            with acting_as(user_actor(job.user_id)):
                now = cancel_job(user_id=job.user_id, job_id=job.pk)
            self.log_change(request, job, "cancel")
            return _what_cancelling_did(now)

        return run_dialog(
            request, form, dialog=CANCEL_JOB, done=_page(job.pk), work=work
        )

    @dialog_action(
        description=_("Retry"),
        url_path="retry",
        permissions=["run_jobs"],
        dialog=RETRY_JOB,
    )
    def retry(
        self, request: HttpRequest, form: DialogForm, object_id: str
    ) -> HttpResponse:
        job = row_or_404(GenerationJob.objects.select_related("user"), object_id)

        def work() -> str:
            with acting_as(user_actor(job.user_id)):
                [again] = retry_job(user=job.user, job=job)
            self.log_change(request, job, f"retry: {again.pk}")
            return gettext("Submitted again as job %(id)s.") % {"id": again.pk}

        return run_dialog(
            request, form, dialog=RETRY_JOB, done=_page(job.pk), work=work
        )


def _page(job_id: UUID) -> str:
    return reverse("admin:generation_generationjob_change", args=[job_id])


def _what_cancelling_did(job: GenerationJob) -> str:
    if job.status == JobStatus.CANCELLED:
        return gettext("The job is cancelled.")
    if job.cancel_requested_at is not None and job.status == JobStatus.IN_PROGRESS:
        return gettext("The worker was asked to stop.")
    return gettext("The job had ended already.")


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin[Worker]):
    COLOURS: ClassVar = {"live": "success", "silent": "danger"}

    list_display = (
        "name",
        "state",
        "hardware_class",
        "memory",
        "serves",
        "loaded",
        "since",
        "beat",
    )
    ordering = ("name", "id")
    search_fields = ()
    fields = (
        "name",
        "hardware_class",
        "memory",
        "serves",
        "able",
        "loaded",
        "started_at",
        "heartbeat_at",
    )
    readonly_fields = ("memory", "serves", "able", "loaded")
    memory = file_weight("device_memory", _("Memory"))
    since = moment("started_at", _("Since (UTC)"))
    beat = moment("heartbeat_at", _("Last signal (UTC)"))

    @labelled(_("State"), COLOURS)
    def state(self, worker: Worker) -> tuple[str, str]:
        live = timezone.now() - worker.heartbeat_at < WORKER_SILENCE
        return ("live", gettext("Live")) if live else ("silent", gettext("Silent"))

    @admin.display(description=_("tiers"))
    def serves(self, worker: Worker) -> str:
        return ", ".join(str(tier).capitalize() for tier in worker.tiers)

    @admin.display(description=_("served models"))
    def able(self, worker: Worker) -> str:
        names = worker.served_models or worker.capabilities or ()
        return ", ".join(names)

    @admin.display(description=_("warm models"))
    def loaded(self, worker: Worker) -> str:
        return ", ".join(worker.warm_models or ())
