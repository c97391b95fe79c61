"""Every type of frame on `/ws/v1/events`, as `generation/EVENTS.md` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar
from uuid import UUID

from pingvas.core.events import Event
from pingvas.core.redis import JOB_TTL_SECONDS, job_status

LONGEST_MESSAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The first frame of every socket.

    last_seq: the newest number there is; the frame's own `seq` is where this socket
    stands, which lies before it when something is about to be replayed.
    """

    type: ClassVar[str] = "hello"
    last_seq: int
    features: list[str]


@dataclass(frozen=True, kw_only=True)
class Resync:
    """What was missed cannot be replayed: this is how things are now.

    jobs: those that have not ended, oldest first: `id`, `status`, `submission_id`,
    `batch_id`, `attempt`, and `progress` (None, or `step` and `total_steps`). more:
    there are others. credits: `balance`, `held`, `available`.
    """

    type: ClassVar[str] = "resync"
    jobs: list[dict[str, Any]]
    more: bool
    credits: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """About one job. status: what it became. batch_id: the pass that it runs in."""

    type: ClassVar[str]
    status: str
    submission_id: str
    batch_id: str


@dataclass(frozen=True, kw_only=True)
class JobQueued(JobEvent):
    """It waits. hold: credits set aside. attempt: above 0 when a worker was lost."""

    type: ClassVar[str] = "job.queued"
    hold: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class JobStarted(JobEvent):
    """A worker has it. phase: what the worker does first."""

    type: ClassVar[str] = "job.started"
    phase: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """A step is done. preview_url: a picture of it, None when none was made."""

    type: ClassVar[str] = "job.progress"
    step: int
    total_steps: int
    preview_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobCompleted(JobEvent):
    """The picture is there. charge, released: credits taken and given back."""

    type: ClassVar[str] = "job.completed"
    image_id: str
    charge: int
    released: int


@dataclass(frozen=True, kw_only=True)
class JobFailed(JobEvent):
    """No picture and no charge. code: stable. message: for a person."""

    type: ClassVar[str] = "job.failed"
    code: str
    message: str
    charge: int
    released: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", self.message[:LONGEST_MESSAGE])


@dataclass(frozen=True, kw_only=True)
class JobCancelled(JobEvent):
    """Its owner stopped it, or what it waited for did not complete.

    charge, released: as of a completed job.
    """

    type: ClassVar[str] = "job.cancelled"
    charge: int
    released: int


@dataclass(frozen=True, kw_only=True)
class CreditsChanged:
    """The credits moved; `billing.services.announcements` publishes it."""

    type: ClassVar[str] = "credits.changed"
    balance: int
    held: int
    available: int


AnyEvent = Hello | Resync | JobEvent | JobProgress | CreditsChanged
EVENTS: Mapping[str, type[AnyEvent]] = {
    kind.type: kind
    for kind in (
        Hello,
        Resync,
        JobQueued,
        JobStarted,
        JobProgress,
        JobCompleted,
        JobFailed,
        JobCancelled,
        CreditsChanged,
    )
}


def to_event(user_id: UUID, told: AnyEvent, *, job_id: UUID | None = None) -> Event:
    """The event in the form that goes over the wire.

    One that tells a job's new status sets `job:{id}:status` too, whoever changed it.
    """
    state = None
    if isinstance(told, JobEvent) and job_id is not None:
        state = (job_status(job_id), str(told.status), JOB_TTL_SECONDS)
    return Event(user_id, told.type, asdict(told), job_id, state=state)
