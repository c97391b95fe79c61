"""One worker child: claims submissions, runs them on its device and settles them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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
    start_free_phase,
)
from modelhub.selectors import ModelNotFound, model_by_name
from pingvas.log import request_id_scope
from pingvas.recipe.recipe import settings_of
from pingvas.recipe.settings import SMALLEST_SIDE, USUAL_SIDE, Settings
from workers.ending import UNEXPECTED, Ending
from workers.engine.engine import Denoised, Engine
from workers.engine.errors import BrokenPicture, DeviceLost, EngineError, Stopped
from workers.engine.specs import PassResult, PassSpec, Phase, Timings
from workers.finishing import Finisher, StepClock
from workers.inputs import refuse_lost_inputs
from workers.lease import LeaseKeeper
from workers.model_cache import ModelCache, ModelMissing, ModelStoreAway
from workers.reporter import Reporter
from workers.saving import StoreWatch
from workers.service import as_service
from workers.serving import Serving
from workers.stopping import Stop, StopBoard

log = logging.getLogger(__name__)

# Models told to the scheduler as quick to start.
WARM = 8
WARM_BATCHES = (1, 2, 4)
# A pass whose child ends is given this long to be stored.
LAST_SECONDS = 10.0


@dataclass
class _Held:
    """Jobs of one pass, with what keeps them ours until `hold` is closed."""

    jobs: Sequence[GenerationJob]
    attempts: Sequence[Attempt]
    lease: LeaseKeeper
    ending: Ending
    hold: ExitStack
    has_loaded: bool = False


class Runner:
    """Runs one pass at a time, whoever asks: a Celery message or the idle look.

    With `overlap` the next pass takes its steps while the last one is decoded, encoded,
    uploaded and settled.
    """

    def __init__(
        self,
        engine: Engine,
        cache: ModelCache,
        tiers: Sequence[str],
        *,
        models: Sequence[str] = (),
        board: StopBoard | None = None,
        overlap: bool = False,
    ) -> None:
        self.worker_id = uuid4()
        self._engine = engine
        self._cache = cache
        self._tiers = tuple(tiers)
        self._board = board or StopBoard()
        self._serving = Serving(engine, cache, models)
        self._busy = threading.Lock()
        self._finisher = Finisher(beside=overlap)
        self._clock = StepClock()
        self._store = StoreWatch()
        self._warm: list[str] = []
        self._name = ""
        self._device_lost = False
        self._leaving = False

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
                    capabilities=self._serving.capabilities,
                    largest_bytes=self._serving.largest_bytes,
                    served_models=self._serving.allowed,
                )
            )

    def beat(self) -> None:
        with as_service():
            known = beat(
                self.worker_id,
                warm_models=self._warm,
                left_alone=self._serving.left_alone(),
            )
        if not known:
            # We were silent for so long that the sweeper took us for dead.
            self.register(self._name)

    def leave(self) -> None:
        """Give back what runs, and go."""
        self._leaving = True
        if self._busy.acquire(timeout=LAST_SECONDS):
            self._busy.release()
        self._finisher.wait(LAST_SECONDS)
        with as_service():
            leave(self.worker_id)

    def warm_up(self, names: Sequence[str]) -> None:
        """Load models before any job needs them, and compile them where that pays."""
        for name in names:
            with self._busy, self._board.at_work():
                try:
                    self._warm_up(name)
                except ModelNotFound:
                    log.warning("no such model to warm up", extra={"model": name})
                except Exception:
                    log.exception("model not warmed up", extra={"model": name})

    def run_next(self, *, wait: bool = True) -> bool:
        """Claim and run one submission; False when there was none, or we are busy."""
        if not self._busy.acquire(blocking=wait):
            return False
        try:
            if self._device_lost:
                # Only a new process gets a working device.
                raise SystemExit(1)
            if self._wish() or self._store.away:
                return False
            with self._board.at_work():
                jobs = self._claim()
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

    def _claim(self) -> list[GenerationJob]:
        with as_service():
            return claim_jobs(self._offer())

    def _offer(self) -> WorkerOffer:
        return WorkerOffer(
            worker_id=self.worker_id,
            tiers=self._tiers,
            capabilities=self._serving.capabilities,
            largest_bytes=self._serving.largest_bytes,
            served_models=self._serving.allowed,
            left_alone=self._serving.left_alone(),
            warm_models=self._warm,
        )

    def _run(self, jobs: Sequence[GenerationJob]) -> None:
        for job in jobs:
            report_status(job.id, "in_progress")
        held = self._take(jobs)
        try:
            denoised = self._steps(held)
        except BaseException:
            held.hold.close()
            raise
        if denoised is None:
            held.hold.close()
        else:
            self._hand_over(held, denoised)

    def _take(self, jobs: Sequence[GenerationJob]) -> _Held:
        attempts = [attempt_of(job) for job in jobs]
        lease = LeaseKeeper(attempts)
        ending = Ending(
            jobs,
            attempts,
            lease,
            clock=self._clock,
            store=self._store,
            is_stopping=lambda: self._wish() == Stop.AT_ONCE,
        )
        hold = ExitStack()
        hold.enter_context(self._board.at_work())
        hold.enter_context(lease)
        return _Held(jobs, attempts, lease, ending, hold)

    def _steps(self, held: _Held) -> Denoised | None:
        """The pass up to its last step; None when its jobs have ended without it."""
        model, ending = held.jobs[0].model, held.ending
        try:
            # Closed before any ending is told: no progress comes after it.
            with Reporter(held.attempts, held.lease.holds) as reporter:
                return self._denoise(held, reporter)
        except Stopped as stopped:
            ending.stop(stopped)
        except ModelNotFound:
            ending.refuse(ModelMissing(f"{model} is not registered any more"))
        except ModelStoreAway:
            self._serving.leave_alone(model)
            ending.put_back()
        except DeviceLost as error:
            ending.give_back(error.code, str(error))
            self._finisher.wait(LAST_SECONDS)
            raise SystemExit(1) from error
        except (SystemExit, KeyboardInterrupt):
            # A signal that ends this process, in the middle of the steps.
            ending.put_back()
            raise
        except EngineError as error:
            if not error.permanent:
                self._serving.leave_alone(model)
            ending.refuse(error)
        except Exception:
            log.exception("pass failed")
            ending.give_back(*UNEXPECTED)
        return None

    def _denoise(self, held: _Held, reporter: Reporter) -> Denoised:
        def should_stop() -> str | None:
            stopping = self._wish() == Stop.AT_ONCE
            return held.lease.should_stop() or ("worker_stopping" if stopping else None)

        spec = self._spec(held.jobs, should_stop)
        with ExitStack() as steps:

            def enter(phase: Phase) -> None:
                held.has_loaded |= phase == Phase.LOADING
                if phase == Phase.DENOISING:
                    self._move_deadline(start_billed_phase, held.attempts)
                    steps.enter_context(self._clock.running())

            denoised = self._engine.denoise(
                spec,
                on_phase=enter,
                on_step=reporter.step,
                on_preview=reporter.preview,
                should_stop=should_stop,
            )
        name = held.jobs[0].model
        self._warm = [name, *(other for other in self._warm if other != name)][:WARM]
        return denoised

    def _hand_over(self, held: _Held, denoised: Denoised) -> None:
        waits = self._finisher.busy
        if waits:
            # Waiting for the pass before is nobody's GPU time.
            self._move_deadline(start_free_phase, held.attempts)

        def finish() -> None:
            if waits:
                self._move_deadline(start_billed_phase, held.attempts)
            with held.hold, request_id_scope(held.jobs[0].request_id):
                self._finish(held, denoised)

        self._finisher.hand_over(finish, may_overlap=denoised.may_overlap)

    def _finish(self, held: _Held, denoised: Denoised) -> None:
        try:
            self._decode(held, denoised)
        except (SystemExit, KeyboardInterrupt):
            # What is stored and settled by now stays so.
            held.ending.put_back()
            raise

    def _decode(self, held: _Held, denoised: Denoised) -> None:
        ending, begun = held.ending, self._clock.read()

        def free() -> float:
            """Milliseconds of another pass's steps since the decoding began."""
            return (self._clock.read() - begun) * 1000

        try:
            result = self._engine.decode(denoised, on_phase=lambda phase: None)
        except BrokenPicture as broken:
            ending.save(broken.good, why=str(broken), free=free())
        except DeviceLost as error:
            ending.give_back(error.code, str(error))
            self._device_lost = True
        except EngineError as error:
            ending.refuse(error)
        except Exception:
            log.exception("pass not decoded")
            ending.give_back(*UNEXPECTED)
        else:
            ending.save(result, free=free())
            self._learn(held, result)

    def _wish(self) -> Stop:
        return Stop.AT_ONCE if self._leaving else self._board.wish

    def _move_deadline(
        self,
        move: Callable[[Sequence[Attempt]], None],
        attempts: Sequence[Attempt],
    ) -> None:
        try:
            with as_service():
                move(attempts)
        except Error:
            # The limit of before stays: no reason to throw a pass away.
            log.warning("deadline not moved", exc_info=True)

    def _warm_up(self, name: str) -> None:
        with as_service():
            model = model_by_name(name)
        files = self._cache.ensure(model)
        self._engine.warm_up(
            files.path,
            model.base_model or "",
            self._warm_sizes(model.native_side or USUAL_SIDE),
            sha256=model.sha256_hash,
            companion=files.companion,
        )
        self._warm = [name, *(other for other in self._warm if other != name)][:WARM]

    def _warm_sizes(self, side: int) -> list[tuple[int, int, int]]:
        """Those worth compiling; on a processor it is for the loading alone."""
        if self._engine.device.kind != "cuda":
            return [(1, SMALLEST_SIDE, SMALLEST_SIDE)]
        return [(batch, side, side) for batch in WARM_BATCHES]

    def _spec(
        self, jobs: Sequence[GenerationJob], should_stop: Callable[[], str | None]
    ) -> PassSpec:
        # What one reads, all of the submission read.
        job = jobs[0]
        refuse_lost_inputs(job)
        with as_service():
            model = model_by_name(job.model)
        files = self._cache.ensure(model, check=lambda: _check(should_stop))
        return PassSpec(
            model=files.path,
            companion=files.companion,
            base=model.base_model or "",
            **settings_of(job),
            seeds=tuple(job.resolved_seed or 0 for job in jobs),
            sha256=model.sha256_hash,
        )

    def _learn(self, held: _Held, result: PassResult) -> None:
        job, pictures = held.jobs[0], len(held.jobs)
        seen = Measurement(
            model=job.model,
            hardware_class=self._engine.device.hardware_class,
            settings=Settings(**settings_of(job)),
            step_milliseconds=result.timings.denoising / pictures,
            around_milliseconds=result.timings.decoding / pictures,
            loading_milliseconds=result.timings.loading if held.has_loaded else None,
        )
        try:
            with as_service():
                record_speed(seen)
        except Error:
            log.warning("speed not recorded", exc_info=True)


def _check(should_stop: Callable[[], str | None]) -> None:
    """End a download that nobody waits for, or that outlasts a loading's limit.

    What it brought stays on disk, so the next attempt goes on with it.
    """
    reason = should_stop()
    if reason is not None:
        reason = "download_cut" if reason == "lease_lost" else reason
        raise Stopped(reason, steps_done=0, timings=Timings())
