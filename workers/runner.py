"""One worker child: claims submissions, runs them on its device and settles them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from uuid import uuid4

from django.db import Error

from generation.models import GenerationJob
from generation.services.lifecycle import Attempt
from generation.services.measure import Measurement, record_speed
from generation.services.progress import report_status
from generation.services.registry import Registration, beat, leave, register_worker
from generation.services.schedule import (
    WorkerOffer,
    attempt_of,
    claim_jobs,
    start_billed_phase,
)
from modelhub.selectors import model_by_name
from pingvas.log import request_id_scope
from workers.ending import Ending
from workers.engine.engine import Engine
from workers.engine.errors import BrokenPicture, DeviceLost, EngineError, Stopped
from workers.engine.specs import PassResult, PassSpec, Phase
from workers.lease import LeaseKeeper
from workers.model_cache import ModelCache
from workers.reporter import Reporter
from workers.service import as_service

log = logging.getLogger(__name__)

# Models told to the scheduler as quick to start.
WARM = 8


class Runner:
    """Runs one pass at a time, whoever asks: a Celery message or the idle look."""

    def __init__(self, engine: Engine, cache: ModelCache, tiers: Sequence[str]) -> None:
        self.worker_id = uuid4()
        self._engine = engine
        self._cache = cache
        self._tiers = tuple(tiers)
        self._busy = threading.Lock()
        self._warm: list[str] = []
        self._name = ""

    def register(self, name: str) -> None:
        self._name = name
        device = self._engine.device
        with as_service():
            register_worker(
                Registration(
                    worker_id=self.worker_id,
                    name=name,
                    tiers=self._tiers,
                    hardware_class=device.hardware_class,
                    device_memory=device.memory,
                )
            )

    def beat(self) -> None:
        with as_service():
            known = beat(self.worker_id, self._warm)
        if not known:
            # We were silent for so long that the sweeper took us for dead.
            self.register(self._name)

    def leave(self) -> None:
        with as_service():
            leave(self.worker_id)

    def run_next(self, *, wait: bool = True) -> bool:
        """Claim and run one submission; False when there was none, or we are busy."""
        if not self._busy.acquire(blocking=wait):
            return False
        try:
            offer = WorkerOffer(
                worker_id=self.worker_id, tiers=self._tiers, warm_models=self._warm
            )
            with as_service():
                jobs = claim_jobs(offer)
            if jobs:
                with request_id_scope(jobs[0].request_id):
                    self._run(jobs)
            return bool(jobs)
        finally:
            self._busy.release()

    def run_all_when_idle(self) -> None:
        """Take work that no message announced; nothing while a pass runs."""
        while self.run_next(wait=False):
            pass

    def _run(self, jobs: Sequence[GenerationJob]) -> None:
        attempts = [attempt_of(job) for job in jobs]
        for job in jobs:
            report_status(job.id, "in_progress")
        with LeaseKeeper(attempts) as lease, Reporter(attempts) as reporter:
            ending = Ending(jobs, attempts, lease)
            try:
                result = self._draw(jobs, attempts, lease, reporter)
            except Stopped as stopped:
                ending.stop(stopped)
            except BrokenPicture as broken:
                ending.save(broken.good, why=str(broken))
            except DeviceLost as error:
                ending.give_back(error.code, str(error))
                # Only a new process gets a working device.
                raise SystemExit(1) from error
            except EngineError as error:
                ending.refuse(error)
            except Exception:
                log.exception("pass failed")
                ending.give_back("internal_error", "The worker failed unexpectedly.")
            else:
                ending.save(result)
                self._learn(jobs, result)

    def _draw(
        self,
        jobs: Sequence[GenerationJob],
        attempts: Sequence[Attempt],
        lease: LeaseKeeper,
        reporter: Reporter,
    ) -> PassResult:
        def enter(phase: Phase) -> None:
            if phase == Phase.DENOISING:
                self._start_deadline(attempts)

        result = self._engine.run(
            self._spec(jobs),
            on_phase=enter,
            on_step=reporter.step,
            on_preview=reporter.preview,
            should_stop=lease.should_stop,
        )
        name = jobs[0].model
        self._warm = [name, *(other for other in self._warm if other != name)][:WARM]
        return result

    def _start_deadline(self, attempts: Sequence[Attempt]) -> None:
        try:
            with as_service():
                start_billed_phase(attempts)
        except Error:
            # The longer limit of the loading stays: no reason to throw a pass away.
            log.warning("deadline not set", exc_info=True)

    def _spec(self, jobs: Sequence[GenerationJob]) -> PassSpec:
        job = jobs[0]
        with as_service():
            model = model_by_name(job.model)
        return PassSpec(
            model=self._cache.ensure(model),
            base=model.base_model or "",
            prompt=job.prompt,
            negative_prompt=job.negative_prompt,
            width=job.width,
            height=job.height,
            steps=job.steps,
            guidance=None if job.cfg_scale is None else float(job.cfg_scale),
            sampler=job.sampler,
            seeds=tuple(job.resolved_seed or 0 for job in jobs),
            sha256=model.sha256_hash,
        )

    def _learn(self, jobs: Sequence[GenerationJob], result: PassResult) -> None:
        job, pictures = jobs[0], len(jobs)
        with as_service():
            record_speed(
                Measurement(
                    model=job.model,
                    hardware_class=self._engine.device.hardware_class,
                    width=job.width,
                    height=job.height,
                    steps=job.steps,
                    step_milliseconds=result.timings.denoising / pictures,
                    around_milliseconds=result.timings.decoding / pictures,
                )
            )
