"""Jobs as programs see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from generation.api.recipes import AdvancedParamsField
from generation.models import GenerationJob, JobStatus, Submission, SubmissionKind
from generation.services.progress import read_progress
from generation.submission_summary import SubmissionSummary
from pingvas.core.api.serializers import KeptFields
from pingvas.recipe.recipe import NAMES


class JobFilterSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=JobStatus.choices, required=False)


class QuoteSerializer(serializers.Serializer[Any]):
    seconds = serializers.FloatField(help_text="expected GPU seconds of one picture")
    credits = serializers.IntegerField(help_text="held for one picture; the ceiling")
    pictures = serializers.IntegerField()
    total = serializers.IntegerField(help_text="held for all pictures")


class ProgressSerializer(serializers.Serializer[Any]):
    step = serializers.IntegerField()
    total_steps = serializers.IntegerField()
    preview_url = serializers.CharField(required=False)


class JobSerializer(KeptFields, serializers.ModelSerializer[GenerationJob]):
    image_id = serializers.SerializerMethodField()
    advanced_params = AdvancedParamsField(read_only=True, allow_null=True)

    class Meta:
        model = GenerationJob
        fields = (
            "id",
            "submission_id",
            "batch_id",
            "batch_index",
            "batch_size",
            "status",
            *NAMES,
            "seed",
            "resolved_seed",
            "quoted_credits",
            "credits_consumed",
            "error_code",
            "error_message",
            "retried_from",
            "image_id",
            "created_at",
            "queued_at",
            "started_at",
            "completed_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_image_id(self, job: GenerationJob) -> str | None:
        image = getattr(job, "image", None)
        return str(image.id) if image else None


class QueuePlaceSerializer(serializers.Serializer[Any]):
    ahead = serializers.IntegerField(help_text="submissions that go first")
    workers = serializers.IntegerField(help_text="live workers that can serve the job")
    expected_wait = serializers.FloatField(
        allow_null=True, help_text="seconds; null when no live worker can serve the job"
    )


JOB_FIELDS: tuple[str, ...] = JobSerializer.Meta.fields


class JobDetailSerializer(JobSerializer):
    queue = QueuePlaceSerializer(read_only=True, allow_null=True, source="place")
    progress = serializers.SerializerMethodField()

    class Meta:
        model = GenerationJob
        fields = (*JOB_FIELDS, "queue", "progress")
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer(allow_null=True))
    def get_progress(self, job: GenerationJob) -> dict[str, object] | None:
        return read_progress(job.id)


class CountsSerializer(serializers.Serializer[Any]):
    """Jobs by status."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {status: serializers.IntegerField() for status in JobStatus.values}


class SubmissionSerializer(KeptFields, serializers.Serializer[Any]):
    """What was asked for at once. Credits: of all its jobs together."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=SubmissionKind.choices)
    status = serializers.ChoiceField(
        choices=JobStatus.choices,
        help_text="in_progress or queued while any job is; else how the best one ended",
    )
    batch_id = serializers.UUIDField(help_text="of its first pass")
    counts = CountsSerializer()
    held = serializers.IntegerField()
    charged = serializers.IntegerField()
    released = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    jobs = JobSerializer(many=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        if isinstance(instance, Submission):
            instance = SubmissionSummary.of(instance)
        found: dict[str, Any] = super().to_representation(instance)
        return found


class PhasesSerializer(serializers.Serializer[Any]):
    waiting = serializers.IntegerField()
    loading = serializers.IntegerField()
    denoising = serializers.IntegerField()
    decoding = serializers.IntegerField()
    encoding = serializers.IntegerField()
    uploading = serializers.IntegerField()


class ReceiptSerializer(serializers.Serializer[Any]):
    """What a job took and cost. Times in milliseconds, money in credits."""

    job_id = serializers.UUIDField()
    status = serializers.CharField()
    milliseconds = PhasesSerializer(allow_null=True)
    billed_phases = serializers.ListField(child=serializers.CharField())
    gpu_seconds = serializers.IntegerField(allow_null=True)
    held = serializers.IntegerField()
    charged = serializers.IntegerField()
    released = serializers.IntegerField()


class SubmissionReceiptSerializer(serializers.Serializer[Any]):
    """What a submission cost, with the receipt of each of its jobs."""

    submission_id = serializers.UUIDField(source="id")
    status = serializers.CharField()
    held = serializers.IntegerField(help_text="of the jobs that have not ended")
    charged = serializers.IntegerField()
    released = serializers.IntegerField()
    jobs = ReceiptSerializer(many=True, source="receipts")
