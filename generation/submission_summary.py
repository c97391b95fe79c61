"""How what was asked for at once stands: told from its jobs, and kept nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from generation.models import GenerationJob, JobStatus, Submission, SubmissionKind
from generation.receipts import Receipt, receipt_of
from generation.states import TERMINAL

# What stands first holds for the whole, as soon as it holds for one of its jobs.
_FIRST = (
    JobStatus.IN_PROGRESS,
    JobStatus.QUEUED,
    JobStatus.PENDING,
    JobStatus.COMPLETED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
)


@dataclass(frozen=True, kw_only=True)
class SubmissionSummary:
    """A submission and its jobs in order. held, charged, released: credits."""

    id: UUID
    kind: str
    created_at: datetime
    jobs: Sequence[GenerationJob]

    @classmethod
    def of(cls, submission: Submission) -> Self:
        return cls(
            id=submission.id,
            kind=submission.kind,
            created_at=submission.created_at,
            jobs=list(submission.jobs.all()),
        )

    @classmethod
    def of_new(cls, jobs: Sequence[GenerationJob]) -> Self:
        """Of jobs that were submitted just now, without asking for it again."""
        return cls(
            id=jobs[0].submission_id or jobs[0].batch_id,
            kind=SubmissionKind.BATCH,
            created_at=jobs[0].created_at,
            jobs=jobs,
        )

    @property
    def batch_id(self) -> UUID:
        """Of the first pass; a submission of one batch has its id."""
        return self.jobs[0].batch_id if self.jobs else self.id

    @property
    def status(self) -> str:
        found = {job.status for job in self.jobs}
        return next((one for one in _FIRST if one in found), JobStatus.CANCELLED)

    @property
    def counts(self) -> dict[str, int]:
        """Jobs by status; every status is there."""
        found = Counter(job.status for job in self.jobs)
        return {status: found[status] for status in JobStatus.values}

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt_of(job) for job in self.jobs]

    @property
    def held(self) -> int:
        """Of the jobs that have not ended."""
        return sum(j.quoted_credits for j in self.jobs if j.status not in TERMINAL)

    @property
    def charged(self) -> int:
        return sum(one.charged for one in self.receipts)

    @property
    def released(self) -> int:
        return sum(one.released for one in self.receipts)
