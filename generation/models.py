"""Jobs, and the workflows that describe them."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from pingvas.core.db.schema import (
    ForeignKey,
    GinIndex,
    Index,
    created_at,
    updated_at,
    uuid_key,
)


class JobStatus(models.TextChoices):
    PENDING = "pending"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class GenerationJob(models.Model):
    """One picture asked for: the queue of record and its history."""

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    tier = models.CharField(max_length=20)
    priority = models.IntegerField(
        default=0,
        db_default=0,
        db_comment="큐 우선순위 (높을수록 먼저 처리)",
    )
    status = models.CharField(
        max_length=20,
        choices=JobStatus,
        default=JobStatus.PENDING,
        db_default=JobStatus.PENDING.value,
    )
    error_message = models.TextField(null=True, blank=True)
    prompt = models.TextField()
    negative_prompt = models.TextField(null=True, blank=True)
    model = models.CharField(max_length=100)
    width = models.IntegerField()
    height = models.IntegerField()
    steps = models.IntegerField(default=20, db_default=20)
    cfg_scale = models.DecimalField(
        max_digits=4, decimal_places=2, null=True, db_default=Decimal("7.5")
    )
    seed = models.BigIntegerField(default=-1, db_default=-1)
    sampler = models.CharField(max_length=50, db_default="euler_a")
    advanced_params = models.JSONField(null=True, blank=True)
    duration_seconds = models.IntegerField(
        null=True, blank=True, db_comment="실제 GPU 사용 시간 (초)"
    )
    credits_consumed = models.IntegerField(null=True, blank=True)
    created_at = created_at()
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "generation_jobs"
        db_table_comment = "이미지 생성 작업 (큐 및 이력)"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=JobStatus.values),
                name="generation_jobs_status_check",
            ),
            models.CheckConstraint(
                condition=Q(width__gt=0, width__lte=2048),
                name="generation_jobs_width_check",
            ),
            models.CheckConstraint(
                condition=Q(height__gt=0, height__lte=2048),
                name="generation_jobs_height_check",
            ),
            models.CheckConstraint(
                condition=Q(steps__gt=0, steps__lte=150),
                name="generation_jobs_steps_check",
            ),
            models.CheckConstraint(
                condition=Q(cfg_scale__gte=1, cfg_scale__lte=20),
                name="generation_jobs_cfg_scale_check",
            ),
        ]
        indexes = [
            Index(fields=["user"], name="idx_generation_jobs_user_id"),
            Index(fields=["status"], name="idx_generation_jobs_status"),
            Index(fields=["-created_at"], name="idx_generation_jobs_created_at"),
            Index(
                fields=["tier", "-priority"],
                name="idx_generation_jobs_tier_priority",
                condition=Q(status="pending"),
            ),
            Index(
                fields=["user", "status", "-created_at"],
                name="idx_generation_jobs_user_status",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.status}"


class Workflow(models.Model):
    """A saved graph of generation steps."""

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    name = models.CharField(max_length=200)
    description = models.TextField(null=True, blank=True)
    workflow_data = models.JSONField()
    thumbnail_image = ForeignKey("gallery.Image", "SET NULL", null=True, blank=True)
    tags = ArrayField(models.TextField(), null=True, blank=True)
    is_public = models.BooleanField(default=False, db_default=False)
    use_count = models.IntegerField(default=0, db_default=0)
    created_at = created_at()
    updated_at = updated_at()

    class Meta:
        db_table = "workflows"
        db_table_comment = "저장된 워크플로우"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"], name="unique_workflow_name_per_user"
            ),
        ]
        indexes = [
            Index(fields=["user"], name="idx_workflows_user_id"),
            Index(
                fields=["is_public"],
                name="idx_workflows_is_public",
                condition=Q(is_public__eq=True),
            ),
            GinIndex(fields=["tags"], name="idx_workflows_tags_gin"),
            GinIndex(fields=["workflow_data"], name="idx_workflows_data_gin"),
        ]

    def __str__(self) -> str:
        return self.name


class UserStats(models.Model):
    """A user's totals, refreshed once a day.

    Read-only: the view `user_stats_own`, which shows a user the one row of
    `user_stats` (a materialized view, and so without row security) that is theirs.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, primary_key=True
    )
    tier = models.CharField(max_length=20)
    total_generations = models.BigIntegerField()
    total_images = models.BigIntegerField()
    total_credits_used = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "user_stats_own"

    def __str__(self) -> str:
        return f"{self.total_images} images"
