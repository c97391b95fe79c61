"""End the jobs of one pass, each by itself: one that is stale spares the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gallery.storage import encode_picture, store_picture
from generation.models import GenerationJob
from generation.services.lifecycle import (
    Attempt,
    Finished,
    StaleAttempt,
    complete_job,
    end_cancelled_job,
    fail_job,
    give_back_job,
)
from generation.services.progress import report_status
from workers.engine.errors import EngineError, Stopped
from workers.engine.specs import PassResult, Timings
from workers.lease import LeaseKeeper
from workers.service import write_as_service

log = logging.getLogger(__name__)


class Ending:
    """What becomes of the jobs once the engine answered, whatever it answered."""

    def __init__(
        self,
        jobs: Sequence[GenerationJob],
        attempts: Sequence[Attempt],
        lease: LeaseKeeper,
    ) -> None:
        self._jobs = list(zip(jobs, attempts, strict=True))
        self._lease = lease

    def save(self, result: PassResult | None, *, why: str = "") -> None:
        """Store and settle each picture; a broken one fails alone, with `why`."""
        for index, (job, attempt) in enumerate(self._jobs):
            with _ending(attempt):
                if result is None or result.images[index] is None:
                    self._fail(attempt, "broken_picture", why)
                elif self._lease.cancelled(job.id):
                    self._cancel(attempt, self._share(result.timings))
                else:
                    self._complete(index, job, attempt, result)

    def stop(self, stopped: Stopped) -> None:
        """Every job was cancelled or lost: charge the cancelled for what ran.

        Before the first step that is nothing. What is ours no more is stale; what ran
        past its deadline gets another try.
        """
        ran = self._share(stopped.timings) if stopped.steps_done else 0
        for job, attempt in self._jobs:
            with _ending(attempt):
                if self._lease.cancelled(job.id):
                    self._cancel(attempt, ran)
                else:
                    self._give_back(attempt, "deadline_exceeded", "It took too long.")

    def refuse(self, error: EngineError) -> None:
        """The engine cannot do this: at all, or this time."""
        if not error.permanent:
            self.give_back(error.code, str(error))
            return
        for _, attempt in self._jobs:
            with _ending(attempt):
                self._fail(attempt, error.code, str(error))

    def give_back(self, code: str, message: str) -> None:
        for _, attempt in self._jobs:
            with _ending(attempt):
                self._give_back(attempt, code, message)

    def _complete(
        self, index: int, job: GenerationJob, attempt: Attempt, result: PassResult
    ) -> None:
        image = result.images[index]
        if image is None:
            raise ValueError("a broken picture cannot be completed")
        begun = time.perf_counter()
        encoded = encode_picture(image, _metadata(job, index, result))
        encoding = _milliseconds(begun)
        begun = time.perf_counter()
        picture = store_picture(encoded, user_id=job.user_id, job_id=job.id)
        uploading = _milliseconds(begun)
        shared = self._share(result.timings)
        timings = {
            "loading": int(result.timings.loading),
            "denoising": int(result.timings.denoising / len(self._jobs)),
            "decoding": int(result.timings.decoding / len(self._jobs)),
            "encoding": encoding,
            "uploading": uploading,
        }
        finished = Finished(
            picture=picture,
            timings=timings,
            billed_milliseconds=shared + encoding,
            pass_size=result.batch_sizes[index],
        )
        write_as_service(lambda: complete_job(attempt, finished))
        report_status(job.id, "completed")

    def _fail(self, attempt: Attempt, code: str, message: str) -> None:
        write_as_service(lambda: fail_job(attempt, code=code, message=message))
        report_status(attempt.job_id, "failed")

    def _cancel(self, attempt: Attempt, milliseconds: int) -> None:
        write_as_service(lambda: end_cancelled_job(attempt, milliseconds=milliseconds))
        report_status(attempt.job_id, "cancelled")

    def _give_back(self, attempt: Attempt, code: str, message: str) -> None:
        write_as_service(lambda: give_back_job(attempt, code=code, message=message))

    def _share(self, timings: Timings) -> int:
        """One job's part of the pass's billed milliseconds, before its own encoding."""
        return int((timings.denoising + timings.decoding) / len(self._jobs))


@contextmanager
def _ending(attempt: Attempt) -> Iterator[None]:
    try:
        yield
    except StaleAttempt:
        log.warning("job ended elsewhere", extra={"job": str(attempt.job_id)})
    except Exception:
        # The lease runs out and another attempt follows.
        log.exception("job not ended", extra={"job": str(attempt.job_id)})


def _metadata(job: GenerationJob, index: int, result: PassResult) -> dict[str, object]:
    """What `images.metadata` and the picture's own record say."""
    return {
        "prompt": job.prompt,
        "negative_prompt": job.negative_prompt or "",
        "model": job.model,
        "width": job.width,
        "height": job.height,
        "steps": job.steps,
        "cfg_scale": None if job.cfg_scale is None else float(job.cfg_scale),
        "sampler": job.sampler,
        "seed": result.seeds[index],
        "record": dict(result.record),
        "notes": [{"code": note.code, **note.data} for note in result.notes],
    }


def _milliseconds(begun: float) -> int:
    return int((time.perf_counter() - begun) * 1000)
