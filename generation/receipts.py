"""What a job took and what it cost, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from generation.models import GenerationJob
from generation.states import TERMINAL

# Waiting, loading the model and uploading are ours, not the customer's.
BILLED_PHASES = ("denoising", "decoding", "encoding")


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """`milliseconds` by phase, None for a job that made no picture; credits else."""

    job_id: UUID
    status: str
    milliseconds: dict[str, int] | None
    billed_phases: tuple[str, ...]
    gpu_seconds: int | None
    held: int
    charged: int
    released: int


def receipt_of(job: GenerationJob) -> Receipt:
    """The receipt so far; a live job has charged and released nothing yet."""
    charged = job.credits_consumed or 0
    ended = job.status in TERMINAL
    return Receipt(
        job_id=job.id,
        status=job.status,
        milliseconds=job.timings,
        billed_phases=BILLED_PHASES,
        gpu_seconds=job.duration_seconds,
        held=job.quoted_credits,
        charged=charged,
        released=job.quoted_credits - charged if ended else 0,
    )
