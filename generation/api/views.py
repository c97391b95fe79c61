"""Jobs over HTTP: each view parses, calls one service and serializes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework.generics import ListAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import UserRequest
from accounts.limits import GenerationLimitReached
from billing.services.holds import InsufficientCredits
from generation.api.recipes import RecipeSerializer
from generation.api.serializers import (
    JobDetailSerializer,
    JobFilterSerializer,
    JobSerializer,
    QuoteSerializer,
    ReceiptSerializer,
    SubmissionReceiptSerializer,
    SubmissionSerializer,
)
from generation.models import GenerationJob, JobStatus, Submission
from generation.receipts import receipt_of
from generation.selectors import (
    access_job,
    access_submission,
    describe_job,
    jobs_of,
    jobs_with_images,
    submissions_of,
)
from generation.services.inputs import InputNotFound
from generation.services.lifecycle import cancel_job, cancel_submission
from generation.services.progress import read_preview
from generation.services.submit import (
    JobNotFinished,
    QueueFull,
    quote_jobs,
    retry_job,
    submit_jobs,
)
from generation.submission_summary import SubmissionSummary
from modelhub.selectors import ModelNotFound, ModelNotInTier
from pingvas.core.api.idempotency import HEADER, KeyReused, idempotent
from pingvas.core.api.schema import errors
from pingvas.core.errors import NotFound

IDEMPOTENCY = OpenApiParameter(
    HEADER,
    str,
    OpenApiParameter.HEADER,
    description="The same key and body within 24 hours: the same jobs.",
)

SUBMISSION_ERRORS = (
    InsufficientCredits,
    ModelNotFound,
    ModelNotInTier,
    InputNotFound,
    KeyReused,
    QueueFull,
    GenerationLimitReached,
)


@extend_schema_view(
    get=extend_schema(
        description="Your jobs, newest first.",
        parameters=[OpenApiParameter("status", str, enum=JobStatus.values)],
    )
)
class JobsView(ListAPIView[GenerationJob]):
    request: UserRequest
    serializer_class = JobSerializer

    def get_queryset(self) -> Any:
        jobs = jobs_with_images(jobs_of(self.request.user.id))
        wanted = JobFilterSerializer(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        return jobs.filter(**wanted.validated_data)

    @extend_schema(
        request=RecipeSerializer,
        parameters=[IDEMPOTENCY],
        responses={201: SubmissionSerializer, **errors(*SUBMISSION_ERRORS)},
    )
    @idempotent
    def post(self, request: UserRequest) -> Response:
        """Submit one job for each seed, all or none, and hold their credits."""
        recipe = RecipeSerializer(data=request.data).recipe()
        jobs = submit_jobs(user=request.user, recipe=recipe)
        return _submission(jobs)


class QuoteView(APIView):
    @extend_schema(
        request=RecipeSerializer,
        responses={
            200: QuoteSerializer,
            **errors(ModelNotFound, ModelNotInTier, InputNotFound),
        },
    )
    def post(self, request: UserRequest) -> Response:
        """The price before anything is submitted, checked as a submission would be."""
        recipe = RecipeSerializer(data=request.data).recipe()
        quote = quote_jobs(user=request.user, recipe=recipe)
        return Response(QuoteSerializer(quote).data)


class JobView(APIView):
    @extend_schema(responses={200: JobDetailSerializer, **errors(NotFound)})
    def get(self, request: UserRequest, job_id: UUID) -> Response:
        """One job, with its place in the queue while it waits."""
        job = describe_job(request.user.id, job_id)
        return Response(JobDetailSerializer(job).data)


class CancelView(APIView):
    @extend_schema(request=None, responses={200: JobSerializer, **errors(NotFound)})
    def post(self, request: UserRequest, job_id: UUID) -> Response:
        """Cancel a job; telling it twice is telling it once. An ended job stays so."""
        job = cancel_job(user_id=request.user.id, job_id=job_id)
        return Response(JobSerializer(job).data)


class RetryView(APIView):
    @extend_schema(
        request=None,
        parameters=[IDEMPOTENCY],
        responses={
            201: SubmissionSerializer,
            **errors(*SUBMISSION_ERRORS, JobNotFinished),
        },
    )
    @idempotent
    def post(self, request: UserRequest, job_id: UUID) -> Response:
        """Submit an ended job once more, as a new job with its own price."""
        user = request.user
        return _submission(retry_job(user=user, job=access_job(user.id, job_id)))


class ReceiptView(APIView):
    @extend_schema(responses={200: ReceiptSerializer, **errors(NotFound)})
    def get(self, request: UserRequest, job_id: UUID) -> Response:
        """What a job took by phase, what of it was billed, and what was given back."""
        job = access_job(request.user.id, job_id)
        return Response(ReceiptSerializer(receipt_of(job)).data)


class PreviewView(APIView):
    @extend_schema(
        responses={
            (200, "image/webp"): OpenApiResponse(OpenApiTypes.BINARY),
            **errors(NotFound),
        }
    )
    def get(self, request: UserRequest, job_id: UUID) -> HttpResponse:
        """The newest preview of a running job."""
        job = access_job(request.user.id, job_id)
        picture = read_preview(job.id)
        if picture is None:
            raise NotFound
        response = HttpResponse(picture, content_type="image/webp")
        response["Cache-Control"] = "private, no-store"
        return response


class SubmissionsView(ListAPIView[Submission]):
    """Your submissions, newest first, each with all its jobs: no page cuts one."""

    request: UserRequest
    serializer_class = SubmissionSerializer

    def get_queryset(self) -> Any:
        return submissions_of(self.request.user.id)


class SubmissionView(APIView):
    @extend_schema(responses={200: SubmissionSerializer, **errors(NotFound)})
    def get(self, request: UserRequest, submission_id: UUID) -> Response:
        """One submission with all its jobs."""
        found = access_submission(request.user.id, submission_id)
        return Response(SubmissionSerializer(found).data)


class CancelSubmissionView(APIView):
    @extend_schema(
        request=None, responses={200: SubmissionSerializer, **errors(NotFound)}
    )
    def post(self, request: UserRequest, submission_id: UUID) -> Response:
        """Cancel every job of it that has not ended."""
        user = request.user.id
        cancel_submission(user_id=user, submission_id=submission_id)
        found = access_submission(user, submission_id)
        return Response(SubmissionSerializer(found).data)


class SubmissionReceiptView(APIView):
    @extend_schema(responses={200: SubmissionReceiptSerializer, **errors(NotFound)})
    def get(self, request: UserRequest, submission_id: UUID) -> Response:
        """What a submission cost, and each of its jobs."""
        found = access_submission(request.user.id, submission_id)
        return Response(SubmissionReceiptSerializer(SubmissionSummary.of(found)).data)


def _submission(jobs: list[GenerationJob]) -> Response:
    return Response(
        SubmissionSerializer(SubmissionSummary.of_new(jobs)).data, status=201
    )
