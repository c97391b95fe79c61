"""One base: weights, a bare pipeline, the engine, and the same pass by both."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from bench.report import Ratio, Rounds
from gallery.metadata import png_chunks
from workers.engine.devices import choose_settings, detect_device
from workers.engine.engine import Engine
from workers.engine.facts import inspect_model
from workers.engine.loading import quiet_libraries
from workers.engine.specs import PassSpec

# What the design asks of an engine beside eager diffusers, and of a worker beside both.
GOALS = {"sd15": ">= 1.35", "sdxl": ">= 1.15", "flux": ">= 1.4"}
WORKER_GOAL = ">= 0.97"
SIDES = {"sd15": 512, "sdxl": 1024, "flux": 1024}
STEPS = {"sd15": 50, "sdxl": 30, "flux": 28}
SAMPLERS = {"sd15": "euler", "sdxl": "euler", "flux": "euler"}
GUIDANCE = {"sd15": 7.5, "sdxl": 5.0, "flux": 3.5}
PROMPT = "a red star above a blue house"


@dataclass(frozen=True)
class Trial:
    """One base at one size."""

    base: str
    folder: Path
    side: int
    steps: int

    def spec(self, seed: int) -> PassSpec:
        return PassSpec(
            model=self.folder,
            base=self.base,
            prompt=PROMPT,
            width=self.side,
            height=self.side,
            steps=self.steps,
            cfg_scale=GUIDANCE[self.base],
            sampler=SAMPLERS[self.base],
            seeds=(seed,),
        )


def measure(
    base: str, work: Path, *, tiny: bool, steps: int = 0, rounds: int
) -> list[Ratio]:
    """The engine's steps beside eager ones, and a worker's pass beside a bare call."""
    quiet_libraries()
    folder = work / ("tiny" if tiny else "true") / base
    if not (folder / "model_index.json").exists():
        build(base, folder, tiny=tiny)
    side = 64 if tiny else SIDES[base]
    trial = Trial(base, folder, side, steps or (3 if tiny else STEPS[base]))
    ratios = _both(trial, rounds)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return ratios


def _both(trial: Trial, rounds: int) -> list[Ratio]:
    """Both sides are in memory at once: flux takes 70 GB of the device."""
    engine, pipeline = Engine(), bare_pipeline(trial)
    engine.warm_up(trial.folder, trial.base, [(1, trial.side, trial.side)])
    return [
        _ratio(
            trial,
            ("steps a second", "it/s", GOALS[trial.base]),
            lambda seed: engine_steps(engine, trial, seed),
            lambda seed: bare_steps(pipeline, trial, seed),
            rounds,
        ),
        _ratio(
            trial,
            ("passes a minute, worker's beside bare", "1/min", WORKER_GOAL),
            lambda seed: 60 / timed(lambda: worker_pass(engine, trial, seed)),
            lambda seed: 60 / timed(lambda: bare_call(pipeline, trial, seed)),
            rounds,
        ),
    ]


def _ratio(
    trial: Trial,
    what: tuple[str, str, str],
    ours: Callable[[int], float],
    other: Callable[[int], float],
    rounds: int,
) -> Ratio:
    """Both in turns, after one round of each that is not counted."""
    name, unit, goal = what
    seeds = count()
    ours(0), other(0)
    figures = Rounds.alternate(
        rounds, lambda: ours(next(seeds)), lambda: other(next(seeds))
    )
    settings = choose_settings(detect_device(), trial.base)
    return figures.ratio(
        name=f"{trial.base} {trial.side}: {name}",
        unit=unit,
        goal=goal,
        note=f"{trial.steps} steps, {settings}, "
        f"{inspect_model(trial.folder).parameters / 1e6:,.0f} M parameters",
    )


def timed(act: Callable[[], object]) -> float:
    """Seconds, with what the device was still doing."""
    _synchronize()
    started = time.perf_counter()
    act()
    _synchronize()
    return time.perf_counter() - started


def bare_steps(pipeline: Any, trial: Trial, seed: int) -> float:
    return trial.steps / timed(lambda: bare_call(pipeline, trial, seed, latent=True))


def engine_steps(engine: Engine, trial: Trial, seed: int) -> float:
    def steps() -> None:
        engine.denoise(trial.spec(seed), **_quiet()).discard()

    return trial.steps / timed(steps)


def bare_call(pipeline: Any, trial: Trial, seed: int, *, latent: bool = False) -> Any:
    """As diffusers' documentation shows it."""
    return pipeline(
        PROMPT,
        width=trial.side,
        height=trial.side,
        num_inference_steps=trial.steps,
        guidance_scale=GUIDANCE[trial.base],
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="latent" if latent else "pil",
    ).images


def worker_pass(engine: Engine, trial: Trial, seed: int) -> None:
    """What a worker's child does of a job, but for queue and ledger."""
    result = engine.run(trial.spec(seed), on_preview=_ignore, **_quiet())
    told = {
        "prompt": PROMPT,
        "negative_prompt": "",
        "model": trial.base,
        "width": trial.side,
        "height": trial.side,
        "steps": trial.steps,
        "cfg_scale": GUIDANCE[trial.base],
        "sampler": SAMPLERS[trial.base],
        "seed": seed,
        "record": dict(result.record),
    }
    for image in result.images:
        if image is not None:
            image.save(BytesIO(), "PNG", pnginfo=png_chunks(told))


def bare_pipeline(trial: Trial) -> Any:
    """In the engine's precision, with diffusers' own settings else."""
    device = detect_device()
    settings = choose_settings(device, trial.base)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(
        trial.folder, local_files_only=True, dtype=settings.dtype
    )
    if trial.base != "flux":
        scheduler = diffusers.EulerDiscreteScheduler
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device.device)


def describe_device() -> dict[str, str]:
    """What the figures were made on."""
    facts = detect_device()
    found = {
        "device": facts.hardware_class,
        "memory": f"{facts.memory / 2**30:.0f} GiB",
    }
    if facts.kind == "cuda":
        found |= {"CUDA": str(torch.version.cuda), "cuDNN": str(_cudnn())}
    return {**found, "transformers": transformers.__version__}


def build(base: str, folder: Path, *, tiny: bool) -> None:
    """Write a folder of that base with random weights."""
    module = "tests.workers.engine.checkpoints" if tiny else "bench.random_weights"
    import_module(module).build(base, folder)


def _quiet() -> dict[str, Any]:
    return {"on_phase": _ignore, "on_step": _ignore, "should_stop": _never}


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _cudnn() -> int | None:
    version: Callable[[], int | None] = torch.backends.cudnn.version
    return version()


def _ignore(*_: object) -> None:
    """Nobody watches."""


def _never() -> None:
    """Nobody stops."""
