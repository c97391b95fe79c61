"""Jobs, and the workflows that describe them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from generation.lanes import Lane
from generation.waiting import IS_CLAIMABLE, IS_WAITING_CHILD
from pingvas.core.db.functions import GenRandomUUID, Now
from pingvas.core.db.schema import (
    ForeignKey,
    GinIndex,
    Index,
    OneToOneField,
    created_at,
    updated_at,
    uuid_key,
    written,
)
from pingvas.recipe.settings import (
    MODEL,
    MOST_SEEDS,
    PLACES,
    RANDOM_SEED,
    SETTINGS,
)

# The usual sampler of all bases but flux, as the specification has it.
SPECIFIED_SAMPLER = "euler_a"
MOST_ATTEMPTS = 3
# A worker beats every five seconds; this long without one, it is gone.
WORKER_SILENCE = timedelta(seconds=20)


class JobStatus(models.TextChoices):
    PENDING = "pending"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SubmissionKind(models.TextChoices):
    """How many pictures came to be asked for at once."""

    BATCH = "batch"
    VARIANTS = "variants"
    GRID = "grid"
    RUN = "run"
    TRIAL = "trial"
    CONTROL = "control"


# They have no hold and no ledger row, and as submissions they are not listed, not
# cancelled and have no receipt. Lists of jobs and the limit of what waits do not ask
# for the kind: whatever makes the first of them keeps its jobs out of these as well.
OF_THE_HOUSE = (SubmissionKind.TRIAL, SubmissionKind.CONTROL)


class Submission(models.Model):
    """What was asked for at once: its jobs are all there or none is.

    How it stands is what its jobs are: nothing of it is kept twice.
    """

    id = uuid_key()
    user = ForeignKey(settings.AUTH_USER_MODEL, "CASCADE")
    kind = models.CharField(
        max_length=20,
        choices=SubmissionKind,
        default=SubmissionKind.BATCH,
        db_default=SubmissionKind.BATCH.value,
    )
    created_at = created_at()

    class Meta:
        db_table = "submissions"
        db_table_comment = "한 번에 요청한 작업 묶음"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=SubmissionKind.values),
                name="submissions_kind_check",
            ),
        ]
        indexes = [
            Index(
                fields=["user", "-created_at", "-id"],
                name="idx_submissions_user_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}, {written(self.created_at)}"


# The next job of one user in a lane, whatever the length of the backlog and of what
# waits for others before it. A lane by itself: so the index is the narrowest that has
# the order, and the planner takes no other.
CLAIM_INDEXES = [
    Index(
        fields=["user", *order],
        name=f"idx_generation_jobs_{lane.value}_{name}",
        condition=IS_CLAIMABLE & Q(lane=lane.value),
    )
    for lane in Lane
    for name, order in (
        ("next", ["-priority", "created_at", "id"]),
        ("longest", ["created_at", "id"]),
    )
]


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
    model = models.CharField(max_length=MODEL.high)
    width = models.IntegerField()
    height = models.IntegerField()
    steps = models.IntegerField(
        default=SETTINGS["steps"].usual, db_default=SETTINGS["steps"].usual
    )
    cfg_scale = models.DecimalField(
        max_digits=4,
        decimal_places=PLACES,
        null=True,
        db_default=SETTINGS["cfg_scale"].usual,
    )
    seed = models.BigIntegerField(default=RANDOM_SEED, db_default=RANDOM_SEED)
    sampler = models.CharField(
        max_length=SETTINGS["sampler"].high, db_default=SPECIFIED_SAMPLER
    )
    advanced_params = models.JSONField(null=True, blank=True)
    duration_seconds = models.IntegerField(
        null=True, blank=True, db_comment="실제 GPU 사용 시간 (초)"
    )
    credits_consumed = models.IntegerField(null=True, blank=True)
    created_at = created_at()
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    # Where the version before leaves it out, a trigger makes it.
    submission = ForeignKey(Submission, "CASCADE", null=True, related_name="jobs")
    # What runs in one pass: "four pictures" is four jobs of one batch.
    batch_id = models.UUIDField(default=uuid4, db_default=GenRandomUUID())
    batch_index = models.SmallIntegerField(default=0, db_default=0)
    batch_size = models.SmallIntegerField(default=1, db_default=1)
    resolved_seed = models.BigIntegerField(null=True, blank=True)
    quoted_credits = models.IntegerField(default=1, db_default=1)
    retried_from = ForeignKey("self", "SET NULL", null=True, blank=True)

    # Where it runs, what its worker must be able to do and to hold, and which jobs of
    # the same user must complete first: `waits_on` counts those that have not.
    lane = models.CharField(max_length=20, default=Lane.GPU, db_default=Lane.GPU.value)
    needs = ArrayField(models.TextField(), default=list, db_default=[])
    needs_bytes = models.BigIntegerField(default=0, db_default=0)
    waits_for = ArrayField(models.UUIDField(), default=list, db_default=[])
    waits_on = models.SmallIntegerField(default=0, db_default=0)

    request_id = models.CharField(max_length=64, default="-", db_default="-")

    # Who runs it, and until when. `attempt` guards every write of that worker.
    attempt = models.SmallIntegerField(default=0, db_default=0)
    worker_id = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    # How it went: milliseconds by phase, and the size of the forward pass.
    error_code = models.CharField(max_length=50, null=True, blank=True)
    timings = models.JSONField(null=True, blank=True)
    pass_size = models.SmallIntegerField(null=True, blank=True)

    class Meta:
        db_table = "generation_jobs"
        db_table_comment = "이미지 생성 작업 (큐 및 이력)"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=JobStatus.values),
                name="generation_jobs_status_check",
            ),
            models.CheckConstraint(
                condition=Q(width__gt=0, width__lte=SETTINGS["width"].high),
                name="generation_jobs_width_check",
            ),
            models.CheckConstraint(
                condition=Q(height__gt=0, height__lte=SETTINGS["height"].high),
                name="generation_jobs_height_check",
            ),
            models.CheckConstraint(
                condition=Q(steps__gt=0, steps__lte=SETTINGS["steps"].high),
                name="generation_jobs_steps_check",
            ),
            models.CheckConstraint(
                condition=Q(
                    cfg_scale__gte=SETTINGS["cfg_scale"].low,
                    cfg_scale__lte=SETTINGS["cfg_scale"].high,
                ),
                name="generation_jobs_cfg_scale_check",
            ),
            models.CheckConstraint(
                condition=Q(
                    batch_size__gte=1,
                    batch_size__lte=MOST_SEEDS,
                    batch_index__gte=0,
                    batch_index__lt=F("batch_size"),
                ),
                name="generation_jobs_batch_check",
            ),
            models.UniqueConstraint(
                fields=["batch_id", "batch_index"],
                name="generation_jobs_batch_id_batch_index_key",
            ),
            models.CheckConstraint(
                condition=Q(quoted_credits__gte=1),
                name="generation_jobs_quoted_credits_check",
            ),
            models.CheckConstraint(
                condition=Q(attempt__gte=0, attempt__lte=MOST_ATTEMPTS),
                name="generation_jobs_attempt_check",
            ),
            models.CheckConstraint(
                condition=Q(lane__in=Lane.values), name="generation_jobs_lane_check"
            ),
            models.CheckConstraint(
                condition=Q(needs_bytes__gte=0),
                name="generation_jobs_needs_bytes_check",
            ),
            models.CheckConstraint(
                condition=Q(waits_on__gte=0, waits_on__lte=F("waits_for__len")),
                name="generation_jobs_waits_on_check",
            ),
            # A lease belongs to running jobs, and every running job has one.
            models.CheckConstraint(
                condition=Q(status="in_progress", lease_expires_at__isnull=False)
                | (~Q(status="in_progress") & Q(lease_expires_at__isnull=True)),
                name="generation_jobs_lease_check",
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
            Index(fields=["submission"], name="idx_generation_jobs_submission_id"),
            # The list of one user's jobs.
            Index(
                fields=["user", "-created_at", "-id"],
                name="idx_generation_jobs_user_newest",
            ),
            *CLAIM_INDEXES,
            Index(
                fields=["user"],
                name="idx_generation_jobs_children",
                condition=IS_WAITING_CHILD,
            ),
            Index(
                fields=["user", "batch_id"],
                name="idx_generation_jobs_running",
                condition=Q(status="in_progress"),
            ),
            Index(
                fields=["lease_expires_at"],
                name="idx_generation_jobs_lease",
                condition=Q(status="in_progress"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}, {written(self.created_at)}"


class QueueShare(models.Model):
    """A user's places in the fair queue, and the lock around their jobs' statuses.

    Virtual time is credits divided by the tier's weight: who used little, or pays for
    much, has the smaller `virtual_finish` and goes first. `claimable` says that a job
    waits, for no other, and the running limit leaves room for it. `generation.lanes`
    says which columns are which lane's; `running` counts all of them.
    """

    user = OneToOneField(settings.AUTH_USER_MODEL, "CASCADE", primary_key=True)
    tier = models.CharField(max_length=20)
    running_limit = models.SmallIntegerField(default=1, db_default=1)
    running = models.SmallIntegerField(default=0, db_default=0)
    waiting_since = models.DateTimeField(null=True)
    claimable = models.BooleanField(default=False, db_default=False)
    virtual_start = models.FloatField(default=0.0, db_default=0.0)
    virtual_finish = models.FloatField(default=0.0, db_default=0.0)
    external_limit = models.SmallIntegerField(default=0, db_default=0)
    external_running = models.SmallIntegerField(default=0, db_default=0)
    external_since = models.DateTimeField(null=True)
    external_claimable = models.BooleanField(default=False, db_default=False)
    external_start = models.FloatField(default=0.0, db_default=0.0)
    external_finish = models.FloatField(default=0.0, db_default=0.0)

    class Meta:
        db_table = "queue_shares"
        indexes = [
            # The order of claims: equal shares go by age.
            Index(
                fields=["virtual_finish", "waiting_since", "user"],
                name="idx_queue_shares_order",
                condition=Q(claimable__eq=True),
            ),
            Index(
                fields=["tier"],
                name="idx_queue_shares_tier",
                condition=Q(claimable__eq=True),
            ),
            # The queue's present time is the first start in it.
            Index(
                fields=["virtual_start"],
                name="idx_queue_shares_present",
                condition=Q(claimable__eq=True),
            ),
            Index(
                fields=["external_finish", "external_since", "user"],
                name="idx_queue_shares_external_order",
                condition=Q(external_claimable__eq=True),
            ),
            Index(
                fields=["tier"],
                name="idx_queue_shares_external_tier",
                condition=Q(external_claimable__eq=True),
            ),
            Index(
                fields=["external_start"],
                name="idx_queue_shares_external_present",
                condition=Q(external_claimable__eq=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tier} at {self.virtual_start}"


class QueueClock(models.Model):
    """One row: the virtual time at which a newcomer joins a lane, of the GPUs' first.

    It never runs backwards.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    virtual_time = models.FloatField(default=0.0, db_default=0.0)
    external_time = models.FloatField(default=0.0, db_default=0.0)

    class Meta:
        db_table = "queue_clock"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="queue_clock_one_row_check")
        ]

    def __str__(self) -> str:
        return f"virtual time {self.virtual_time}"


class Worker(models.Model):
    """A worker process and what it serves; gone when its heartbeat stops."""

    id = uuid_key()
    name = models.CharField(max_length=200)
    lane = models.CharField(max_length=20, default=Lane.GPU, db_default=Lane.GPU.value)
    tiers = ArrayField(models.TextField())
    # The modules that it has and the bytes of the largest checkpoint that it holds.
    # NULL for workers of the version before: whatever its names say.
    capabilities = ArrayField(models.TextField(), null=True, blank=True)
    largest_bytes = models.BigIntegerField(null=True, blank=True)
    # NULL: every model. Otherwise the names that its operator allows.
    served_models = ArrayField(models.TextField(), null=True, blank=True)
    # Names that it leaves to others for a while.
    left_alone = ArrayField(models.TextField(), default=list, db_default=[])
    warm_models = ArrayField(models.TextField(), default=list)
    hardware_class = models.CharField(max_length=100)
    device_memory = models.BigIntegerField(db_comment="bytes")
    started_at = created_at()
    heartbeat_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "generation_workers"

    def __str__(self) -> str:
        return f"{self.name} ({self.hardware_class})"


class ModelSpeed(models.Model):
    """How fast a model was seen to run on a class of hardware.

    Exponentially weighted means: milliseconds for one step and megapixel, and
    milliseconds around the steps (prompt, decoding, encoding) for one megapixel, and
    milliseconds of a loading, NULL until one was seen.
    """

    pk = models.CompositePrimaryKey("model", "hardware_class")
    model = models.CharField(max_length=200)
    hardware_class = models.CharField(max_length=100)
    step_milliseconds = models.FloatField()
    around_milliseconds = models.FloatField()
    loading_milliseconds = models.FloatField(null=True, blank=True)
    samples = models.IntegerField(default=1, db_default=1)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "model_speeds"

    def __str__(self) -> str:
        return f"{self.model} on {self.hardware_class}"


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


class InputRole(models.TextChoices):
    INIT = "init"
    MASK = "mask"
    CONTROL = "control"
    REFERENCE = "reference"


class JobInput(models.Model):
    """A picture that a job reads. `image` is NULL once the picture was deleted."""

    pk = models.CompositePrimaryKey("job_id", "role", "position")
    job = ForeignKey(GenerationJob, "CASCADE", related_name="inputs")
    role = models.CharField(max_length=10, choices=InputRole)
    # Among those of one role.
    position = models.SmallIntegerField(default=0, db_default=0)
    image = ForeignKey("gallery.Image", "SET NULL", null=True, related_name="+")

    class Meta:
        db_table = "job_inputs"
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=InputRole.values), name="job_inputs_role_check"
            ),
        ]
        indexes = [
            # Deleting a picture asks which jobs read it.
            Index(
                fields=["image"],
                name="idx_job_inputs_image",
                condition=Q(image__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.position} of {self.job_id}"


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
