"""End the jobs of one pass, each by itself: one that is stale spares the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import Error, InterfaceError, OperationalError

from gallery.services import StoredPicture
from gallery.storage import EncodedPicture, encode_picture, store_picture
from generation.models import GenerationJob
from generation.services.lifecycle import (
    Attempt,
    Finished,
    StaleAttempt,
    complete_job,
    end_cancelled_job,
    fail_job,
    give_back_job,
    return_job,
)
from generation.services.progress import report_status
from generation.services.schedule import start_free_phase
from pingvas.core.storage.base import StorageUnavailable
from pingvas.recipe.recipe import Recipe
from workers.engine.errors import EngineError, Stopped
from workers.engine.specs import PassResult, Timings
from workers.finishing import StepClock
from workers.lease import LeaseKeeper
from workers.saving import StoreWatch, save_patiently
from workers.service import as_service, write_as_service

log = logging.getLogger(__name__)

# Why a pass was stopped through no fault of its jobs: they are not counted as tried.
BLAMELESS = frozenset({"worker_stopping", "download_cut"})
UNEXPECTED = ("internal_error", "The worker failed unexpectedly.")


class Ending:
    """What becomes of the jobs once the engine answered, whatever it answered.

    `clock` tells what ran beside another pass's steps, which is free.
    """

    def __init__(
        self,
        jobs: Sequence[GenerationJob],
        attempts: Sequence[Attempt],
        lease: LeaseKeeper,
        *,
        clock: StepClock | None = None,
        store: StoreWatch | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._jobs = list(zip(jobs, attempts, strict=True))
        self._lease = lease
        self._clock = clock or StepClock()
        self._store = store or StoreWatch()
        self._is_stopping = is_stopping
        self._prolonged = False

    def save(
        self, result: PassResult | None, *, why: str = "", free: float = 0.0
    ) -> None:
        """Store and settle each picture; a broken one fails alone, with `why`.

        `free`: milliseconds of the decoding that ran beside another pass's steps.
        """
        for index, (job, attempt) in enumerate(self._jobs):
            with self._ending(attempt):
                if result is None or result.images[index] is None:
                    self._fail(attempt, "broken_picture", why)
                elif self._lease.cancelled(job.id):
                    self._cancel(attempt, self._share(result.timings, free))
                else:
                    self._complete(index, job, attempt, result, free)

    def stop(self, stopped: Stopped) -> None:
        """Every job was cancelled, lost or is to go back: charge the cancelled.

        Before the first step that is nothing. What is ours no more is stale; what ran
        past its deadline gets another try; what we gave up ourselves was not tried.
        """
        ran = self._share(stopped.timings) if stopped.steps_done else 0
        for job, attempt in self._jobs:
            with self._ending(attempt):
                if self._lease.cancelled(job.id):
                    self._cancel(attempt, ran)
                elif stopped.reason in BLAMELESS:
                    self._return(attempt)
                else:
                    self._give_back(attempt, "deadline_exceeded", "It took too long.")

    def refuse(self, error: EngineError) -> None:
        """The engine cannot do this: at all, or this time."""
        if not error.permanent:
            self.give_back(error.code, str(error))
            return
        for _, attempt in self._jobs:
            with self._ending(attempt):
                self._fail(attempt, error.code, str(error))

    def give_back(self, code: str, message: str) -> None:
        for _, attempt in self._jobs:
            with self._ending(attempt):
                self._give_back(attempt, code, message)

    def put_back(self) -> None:
        """The fault is outside of the jobs: they wait as if nobody had tried them."""
        for _, attempt in self._jobs:
            with self._ending(attempt):
                self._return(attempt)

    def _complete(
        self,
        index: int,
        job: GenerationJob,
        attempt: Attempt,
        result: PassResult,
        free: float,
    ) -> None:
        image = result.images[index]
        if image is None:
            raise ValueError("a broken picture cannot be completed")
        begun, steps = time.perf_counter(), self._clock.read()
        encoded = encode_picture(image, _metadata(job, index, result))
        encoding = _milliseconds(begun)
        beside = int((self._clock.read() - steps) * 1000)
        begun = time.perf_counter()
        picture = self._store_picture(encoded, job)
        if picture is None:
            self._cancel(attempt, self._share(result.timings, free))
            return
        finished = Finished(
            picture=picture,
            timings={
                **self._shared_phases(result.timings),
                "encoding": encoding,
                "uploading": _milliseconds(begun),
            },
            billed_milliseconds=self._share(result.timings, free)
            + max(0, encoding - beside),
            pass_size=result.batch_sizes[index],
        )
        write_as_service(lambda: complete_job(attempt, finished))
        report_status(job.id, "completed")

    def _store_picture(
        self, encoded: EncodedPicture, job: GenerationJob
    ) -> StoredPicture | None:
        """None when the job was cancelled while the store was away."""
        try:
            return save_patiently(
                lambda: store_picture(encoded, user_id=job.user_id, source_id=job.id),
                self._store,
                on_wait=self._prolong,
                may_wait=lambda: self._may_wait(job.id),
            )
        except StorageUnavailable:
            if self._lease.cancelled(job.id):
                return None
            raise

    def _may_wait(self, job_id: UUID) -> bool:
        wanted = self._lease.holds(job_id) and not self._lease.cancelled(job_id)
        return wanted and not self._is_stopping()

    def _prolong(self) -> None:
        """Nobody pays for waiting: the deadline of what is billed does not count it."""
        if self._prolonged:
            return
        self._prolonged = True
        try:
            with as_service():
                start_free_phase([attempt for _, attempt in self._jobs])
        except Error:
            log.warning("deadline not moved", exc_info=True)

    def _fail(self, attempt: Attempt, code: str, message: str) -> None:
        write_as_service(lambda: fail_job(attempt, code=code, message=message))
        report_status(attempt.job_id, "failed")

    def _cancel(self, attempt: Attempt, milliseconds: int) -> None:
        write_as_service(lambda: end_cancelled_job(attempt, milliseconds=milliseconds))
        report_status(attempt.job_id, "cancelled")

    def _give_back(self, attempt: Attempt, code: str, message: str) -> None:
        write_as_service(lambda: give_back_job(attempt, code=code, message=message))

    def _return(self, attempt: Attempt) -> None:
        write_as_service(lambda: return_job(attempt))

    def _shared_phases(self, timings: Timings) -> dict[str, int]:
        """Loading is the pass's; the rest is divided among its jobs."""
        pictures = len(self._jobs)
        return {
            "loading": int(timings.loading),
            "denoising": int(timings.denoising / pictures),
            "decoding": int(timings.decoding / pictures),
        }

    def _share(self, timings: Timings, free: float = 0.0) -> int:
        """One job's part of the pass's billed milliseconds, before its own encoding."""
        decoding = max(0.0, timings.decoding - free)
        return int((timings.denoising + decoding) / len(self._jobs))

    @contextmanager
    def _ending(self, attempt: Attempt) -> Iterator[None]:
        extra = {"job": str(attempt.job_id)}
        try:
            yield
        except StaleAttempt:
            log.warning("job ended elsewhere", extra=extra)
        except StorageUnavailable:
            log.warning("picture not stored: the job goes back", extra=extra)
            _last_word(lambda: self._return(attempt))
        except (InterfaceError, OperationalError):
            # PostgreSQL is away for longer than a lease, which has run out by then.
            log.exception("job not ended", extra=extra)
        except Exception:
            log.exception("job not ended", extra=extra)
            _last_word(lambda: self._give_back(attempt, *UNEXPECTED))


def _last_word(say: Callable[[], None]) -> None:
    try:
        say()
    except Exception:
        # The lease runs out and another attempt follows.
        log.exception("job not given back")


def _metadata(job: GenerationJob, index: int, result: PassResult) -> dict[str, object]:
    """What `images.metadata` and the picture's own record say."""
    return {
        **Recipe.of_row(job, seeds=()).metadata(seed=result.seeds[index]),
        "record": dict(result.record),
        "notes": [{"code": note.code, **note.data} for note in result.notes],
    }


def _milliseconds(begun: float) -> int:
    return int((time.perf_counter() - begun) * 1000)
