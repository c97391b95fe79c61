"""The engine: one per worker process, one pass at a time.

`run` does a whole pass. `denoise` and `decode` are its halves: a worker may decode
one pass on another thread while the next one takes its steps.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image

from workers.engine.denoising import (
    Progress,
    StopRequested,
    check_size,
    denoise_batch,
)
from workers.engine.devices import (
    choose_settings,
    default_budget,
    detect_device,
    make_deterministic,
)
from workers.engine.errors import (
    BrokenPicture,
    DeviceLost,
    ModelRefused,
    OutOfMemory,
    Stopped,
)
from workers.engine.facts import read_source, source_digest, source_format
from workers.engine.footprint import largest_part, planned_bytes, signature
from workers.engine.loading import PIPELINES, LoadedModel, load_pipeline, place
from workers.engine.memory import (
    MemoryFacts,
    Residency,
    is_device_lost,
    is_out_of_memory,
)
from workers.engine.passes import Pass, paint_part
from workers.engine.previews import PreviewPainter
from workers.engine.records import make_record
from workers.engine.samplers import sampler_names
from workers.engine.specs import (
    OnPhase,
    OnPreview,
    OnStep,
    PassResult,
    PassSpec,
    Phase,
    ShouldStop,
    Timings,
)

logger = logging.getLogger(__name__)

# A model that needs the room of one whose pass is still being decoded waits for it.
DECODING_PATIENCE = 60.0


@dataclass(slots=True)
class Denoised:
    """A pass between its steps and its pictures.

    Holds its model in memory until it is decoded or discarded.
    """

    work: Pass
    timings: Timings
    hold: ExitStack

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """For each picture, how many shared its forward pass."""
        sizes = (len(part) for part in self.work.parts)
        return tuple(size for size in sizes for _ in range(size))

    @property
    def may_overlap(self) -> bool:
        """Whether it may be decoded beside the steps of another pass.

        Parts of an offloaded model take turns on the device: decoding one would wait
        for the steps, and the steps' model for its room.
        """
        return not self.work.model.offloaded

    def discard(self) -> None:
        """Give up the pass, for a caller that will not decode it."""
        self.work.parts = []
        self.hold.close()


class Engine:
    """Text to image on one device, with the models it used last kept loaded.

    `companions` names, by base, a diffusers-format folder that gives what single-file
    checkpoints lack: tokenizers, and for flux its text encoders and autoencoder.
    `precision` fixes the dtype that the engine would choose itself, to repeat a
    record made elsewhere.
    """

    def __init__(
        self,
        device: str | None = None,
        memory_budget_bytes: int | None = None,
        *,
        companions: Mapping[str, Path] | None = None,
        precision: torch.dtype | None = None,
    ) -> None:
        make_deterministic()
        self.device = detect_device(device)
        self._precision = precision
        self._companions = dict(companions or {})
        budget = memory_budget_bytes or default_budget(self.device)
        self._residency: Residency[LoadedModel] = Residency(
            budget, patience=DECODING_PATIENCE
        )
        self._busy = threading.Lock()
        self._decode_stream = (
            torch.cuda.Stream(self.device.device)  # type: ignore[no-untyped-call]
            if self.device.kind == "cuda"
            else None
        )

    def run(
        self,
        spec: PassSpec,
        *,
        on_phase: OnPhase,
        on_step: OnStep,
        should_stop: ShouldStop,
        on_preview: OnPreview | None = None,
    ) -> PassResult:
        """Load, denoise and decode one pass.

        Raises SpecRefused, ModelRefused, Stopped, OutOfMemory, BrokenPicture and
        DeviceLost (see errors).
        """
        denoised = self.denoise(
            spec,
            on_phase=on_phase,
            on_step=on_step,
            should_stop=should_stop,
            on_preview=on_preview,
        )
        return self.decode(denoised, on_phase=on_phase)

    def denoise(
        self,
        spec: PassSpec,
        *,
        on_phase: OnPhase,
        on_step: OnStep,
        should_stop: ShouldStop,
        on_preview: OnPreview | None = None,
    ) -> Denoised:
        """The first half of a pass; one at a time, others wait."""
        spec.check()
        progress = Progress(spec.steps, on_step, should_stop)
        with self._busy, _named_errors(), ExitStack() as hold:
            started = time.perf_counter()
            model = self._model(spec, hold, on_phase)
            check_size(model, spec)
            painter = self._painter(model, spec, hold, on_preview)
            loading = _milliseconds(started)
            work = Pass(model, spec, progress, painter, [], [])
            on_phase(Phase.DENOISING)
            denoising = self._steps(work, loading)
            if painter is not None:
                painter.close()
            timings = Timings(loading=loading, denoising=denoising)
            return Denoised(work, timings, hold.pop_all())

    def decode(self, denoised: Denoised, *, on_phase: OnPhase) -> PassResult:
        """The second half; may run on another thread than the steps of a next pass."""
        on_phase(Phase.DECODING)
        started = time.perf_counter()
        work, batch_sizes = denoised.work, denoised.batch_sizes
        model, spec = work.model, work.spec
        # Offloading moves the parts of one pipeline in turn: no two passes at once.
        alone = self._busy if model.offloaded else nullcontext()
        with denoised.hold, alone, _named_errors(), self._side_stream():
            images = [
                image for part in work.parts for image in paint_part(model, spec, part)
            ]
        work.parts = []
        before = denoised.timings
        result = PassResult(
            images=tuple(images),
            seeds=spec.seeds,
            batch_sizes=batch_sizes,
            timings=Timings(before.loading, before.denoising, _milliseconds(started)),
            record=make_record(model, spec, batch_sizes),
            notes=tuple(work.notes),
        )
        _refuse_broken(result, images)
        return result

    def warm_up(
        self,
        model: Path,
        base: str,
        sizes: Iterable[tuple[int, int, int]],
        *,
        sha256: str | None = None,
        companion: Path | None = None,
    ) -> None:
        """Load a model before any job needs it, and compile its blocks where it pays.

        `sizes` are (batch, height, width). Only these run compiled afterwards.
        """
        for batch, height, width in sizes:
            spec = replace(
                _warm_up_spec(model, base, batch, height, width),
                sha256=sha256,
                companion=companion,
            )
            with self._busy, _named_errors(), ExitStack() as hold:
                loaded = self._model(spec, hold, _ignore)
                check_size(loaded, spec)
                if loaded.settings.compile_blocks and not loaded.offloaded:
                    hold.enter_context(_compiling(loaded, (batch, height, width)))
                progress = Progress(spec.steps, _ignore, _never)
                denoise_batch(loaded, spec, spec.seeds, progress, None, 0)

    @property
    def bases(self) -> tuple[str, ...]:
        """Those whose models it draws with."""
        return tuple(PIPELINES)

    @property
    def largest_checkpoint(self) -> int | None:
        """Bytes of the largest that can be served at all, told without opening it.

        None for any: a GPU takes parts in turn. Weights stored at half precision may
        still prove too large for a processor, which runs them at full.
        """
        return None if self.device.kind == "cuda" else self._residency.budget

    def memory(self) -> MemoryFacts:
        """Bytes that resident weights take, against the budget."""
        return self._residency.facts()

    def unload(self) -> int:
        """Drop every model that no pass is using; the number dropped."""
        return self._residency.drop_all()

    def _model(self, spec: PassSpec, hold: ExitStack, on_phase: OnPhase) -> LoadedModel:
        key = signature(spec.model)
        model = self._residency.get(key)
        if model is None:
            on_phase(Phase.LOADING)
            model = self._load(key, spec)
        _check_base(model.base, spec)
        hold.enter_context(self._residency.using(key))
        return model

    def _load(self, key: str, spec: PassSpec) -> LoadedModel:
        source = read_source(spec.model)
        _check_base(source.base, spec)
        companion = spec.companion or self._companions.get(source.base)
        settings = choose_settings(self.device, source.base, self._precision)
        size = planned_bytes(source, companion, settings)
        offloaded = self.device.kind == "cuda" and size > self._residency.budget
        if offloaded:
            size = largest_part(source, companion, settings)

        def build() -> LoadedModel:
            pipeline, noise = load_pipeline(source, settings, companion)
            model = LoadedModel(
                pipeline=pipeline,
                base=source.base,
                format=source_format(source),
                sha256=spec.sha256 or source_digest(source),
                device=self.device,
                settings=settings,
                noise=noise,
                offloaded=offloaded,
            )
            place(model)
            return model

        return self._residency.load(key, size, build)

    def _painter(
        self,
        model: LoadedModel,
        spec: PassSpec,
        hold: ExitStack,
        on_preview: OnPreview | None,
    ) -> PreviewPainter | None:
        if on_preview is None:
            return None
        try:
            painter = PreviewPainter(model, on_preview, spec.height, spec.width)
        except Exception:  # previews are a courtesy: the pass goes on
            logger.exception("no previews of this model")
            return None
        hold.callback(painter.close)
        return painter

    def _steps(self, work: Pass, loading: float) -> float:
        """Milliseconds that the steps took; raises Stopped."""
        started = time.perf_counter()
        try:
            if not work.attempt([work.spec.seeds]):
                dropped = self._residency.drop_others(signature(work.spec.model))
                work.attempt_halved(freed=dropped > 0)
            if self.device.kind == "cuda":
                torch.cuda.synchronize(self.device.device)
        except StopRequested as stop:
            timings = Timings(loading, _milliseconds(started))
            raise Stopped(
                stop.reason, steps_done=work.progress.done, timings=timings
            ) from None
        finally:
            if work.model.offloaded:
                work.model.pipeline.maybe_free_model_hooks()
        return _milliseconds(started)

    @contextmanager
    def _side_stream(self) -> Iterator[None]:
        if self._decode_stream is None:
            yield
            return
        with torch.cuda.stream(self._decode_stream):
            yield
            self._decode_stream.synchronize()


def _check_base(found: str, spec: PassSpec) -> None:
    if found != spec.base:
        raise ModelRefused(f"it is {found}, not {spec.base}", code="wrong_base")


@contextmanager
def _compiling(model: LoadedModel, size: tuple[int, int, int]) -> Iterator[None]:
    """The block's passes may compile; later ones of this size run what it made."""
    if not model.warmed:
        model.denoiser.compile_repeated_blocks(fullgraph=True, dynamic=True)
    model.warmed.add(size)
    model.warming = True
    try:
        yield
    finally:
        model.warming = False


def _warm_up_spec(
    model: Path, base: str, batch: int, height: int, width: int
) -> PassSpec:
    return PassSpec(
        model=model,
        base=base,
        prompt="warm-up",
        width=width,
        height=height,
        steps=2,
        # Guided, as most jobs are: the other half of the batch counts for the shapes.
        cfg_scale=5.0,
        sampler=sampler_names(base)[0],
        seeds=tuple(range(batch)),
    )


def _refuse_broken(result: PassResult, images: list[Image.Image | None]) -> None:
    broken = tuple(i for i, image in enumerate(images) if image is None)
    if broken:
        good = result if len(broken) < len(images) else None
        raise BrokenPicture(broken, why="NaN, infinity or only black", good=good)


def _ignore(*_: object) -> None:
    """A callback for passes that nobody watches."""


def _never() -> None:
    """Nobody stops a warm-up."""


def _milliseconds(started: float) -> float:
    return (time.perf_counter() - started) * 1000


@contextmanager
def _named_errors() -> Iterator[None]:
    """Give the device's own failures the engine's names."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory("memory ran out outside of the steps") from error
        if is_device_lost(error):
            raise DeviceLost("the accelerator's context is broken") from error
        raise
