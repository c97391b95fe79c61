"""Pictures a minute through queue, worker, storage and ledger, and by a bare loop."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from accounts.models import User
from bench.clients import open_clients
from bench.filling import FIRST, fill_users, numbered_id, open_administrator
from bench.models import register, starter_folder, tiny_folder
from bench.report import Ratio, Rounds
from bench.worker import (
    open_worker,
    processor_seconds,
    resident_bytes,
    submit,
    wait_for,
)
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.recipe.recipe import Recipe

GUIDANCE = 7.5
BATCH = 4
BASES = ("sd15", "sd21", "sdxl")


@dataclass(frozen=True)
class Size:
    """`each`: pictures of one round. `jobs`: of the memory's case, a third warm-up."""

    rounds: int
    each: int
    jobs: int
    side: int = 128
    steps: int = 20


SIZES = {
    True: Size(rounds=3, each=4, jobs=30),
    False: Size(rounds=7, each=12, jobs=200),
}


def measure(*, small: bool) -> list[Ratio]:
    """Unbatched, in batches of four, and a worker's memory over three models."""
    size = SIZES[small]
    user = _person()
    folder = starter_folder()
    register(folder, name="starter", base="sd15")
    with open_clients(1) as bare, open_worker() as child:
        sides = Sides(user, bare, folder, size, child)
        rounds = {seeds: sides.measure(seeds) for seeds in (1, BATCH)}
    note = (
        f"{size.side} x {size.side}, {size.steps} steps, euler_a, {folder.name}; a "
        "worker process from the first claim to the last settlement, beside a process "
        "with one diffusers pipeline; same prompts and seeds, same order"
    )
    return [
        rounds[1].wall.ratio(
            name="pictures a minute, one by one",
            unit="1/min",
            goal=">= 0.95",
            note=note,
        ),
        rounds[BATCH].wall.ratio(
            name="pictures a minute, in fours", unit="1/min", note=note
        ),
        *(
            rounds[seeds].processor.ratio(
                name=f"processor seconds a picture, {how}",
                unit="s",
                note="of the worker's child alone, beside those of the bare loop's "
                "process: what a busy machine does not distort",
            )
            for seeds, how in ((1, "one by one"), (BATCH, "in fours"))
        ),
        _memory(user, size),
    ]


def _person() -> User:
    with open_administrator() as admin:
        fill_users(admin, FIRST, 1)
    with acting_as(SERVICE):
        return User.objects.get(pk=numbered_id(FIRST))


Wishes = list[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Figures:
    """Pictures a minute, and processor seconds a picture."""

    wall: Rounds
    processor: Rounds


@dataclass(frozen=True)
class Sides:
    """The worker, and a process with the bare loop."""

    user: User
    bare: Any
    folder: Path
    size: Size
    child: int

    def measure(self, seeds: int) -> Figures:
        """Rounds of both in turns with the same wishes, after one not counted."""
        figures = Figures(Rounds(), Rounds())
        for number, wishes in enumerate(_wishes(self.size, seeds)):
            ours, other = self._ours(wishes), self._other(wishes)
            if number:
                figures.wall.ours.append(ours[0])
                figures.wall.other.append(other[0])
                figures.processor.ours.append(ours[1])
                figures.processor.other.append(other[1])
        return figures

    def _ours(self, wishes: Wishes) -> tuple[float, float]:
        before = processor_seconds(self.child)
        rate = _through(self.user, self.size, wishes)
        return rate, (processor_seconds(self.child) - before) / self.size.each

    def _other(self, wishes: Wishes) -> tuple[float, float]:
        arguments = (self.folder, self.size.side, self.size.steps, wishes)
        elapsed, processor = self.bare.apply(_draw, arguments)
        return 60 * self.size.each / elapsed, processor / self.size.each


def _wishes(size: Size, seeds: int) -> list[Wishes]:
    """For every round, prompts with as many seeds as a pass has pictures."""
    number = count(1)
    return [
        [
            (f"a star number {index}", tuple(next(number) for _ in range(seeds)))
            for index in range(size.each // seeds)
        ]
        for _ in range(size.rounds + 1)
    ]


def _through(user: User, size: Size, wishes: Wishes) -> float:
    """Pictures a minute of a queue that is full before the first job starts."""
    jobs: list[GenerationJob] = []
    for prompt, seeds in wishes:
        jobs += submit(user, _spec("starter", size, prompt, seeds))
    ids = [job.id for job in jobs]
    wait_for(ids, seconds=600)
    with acting_as(SERVICE):
        rows = GenerationJob.objects.filter(id__in=ids)
        times: list[Any] = list(rows.values_list("started_at", "completed_at"))
    started = min(row[0] for row in times)
    elapsed = max(row[1] for row in times) - started
    return float(60 * size.each / elapsed.total_seconds())


def _draw(folder: Path, side: int, steps: int, wishes: Wishes) -> tuple[float, float]:
    """Seconds of the bare loop by the wall and of the processor, in its own process."""
    import torch

    pipeline = _pipeline(folder)
    started, processor = time.monotonic(), time.process_time()
    for prompt, seeds in wishes:
        pipeline(
            prompt,
            width=side,
            height=side,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            num_images_per_prompt=len(seeds),
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        )
    return time.monotonic() - started, time.process_time() - processor


_loaded: dict[Path, Any] = {}


def _pipeline(folder: Path) -> Any:
    from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionPipeline

    from workers.engine.devices import choose_settings, detect_device

    if folder not in _loaded:
        # In the precision that the engine takes here, whatever the file holds.
        dtype = choose_settings(detect_device(), "sd15").dtype
        pipeline = StableDiffusionPipeline.from_pretrained(
            folder, safety_checker=None, local_files_only=True, dtype=dtype
        )
        pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(
            pipeline.scheduler.config
        )
        pipeline.set_progress_bar_config(disable=True)
        _loaded[folder] = pipeline
    return _loaded[folder]


def _memory(user: User, size: Size) -> Ratio:
    """The worker's memory after all jobs beside that after a third of them.

    Medians over the last jobs of either stretch: an allocator breathes.
    """
    for base in BASES:
        register(tiny_folder(base), name=f"tiny-{base}", base=base)
    with open_worker() as process:
        seen = list(_residents(user, process, size))
    tail = max(len(BASES), size.jobs // 10)
    early = seen[size.jobs // 3 - tail : size.jobs // 3]
    ours, other = statistics.median(seen[-tail:]), statistics.median(early)
    return Ratio(
        name=f"worker's memory after {size.jobs} jobs",
        ours=ours / 2**20,
        other=other / 2**20,
        unit="MiB",
        ratio=ours / other,
        goal="<= 1.05",
        note=f"three models in turns; resident memory beside that after a third, "
        f"medians of {tail} jobs",
    )


def _residents(user: User, process: int, size: Size) -> Iterator[int]:
    for number in range(size.jobs):
        base = BASES[number % len(BASES)]
        small = Size(rounds=1, each=1, jobs=1, side=64, steps=2)
        spec = _spec(f"tiny-{base}", small, f"star {number}", (number,))
        wait_for([job.id for job in submit(user, spec)])
        yield resident_bytes(process)


def _spec(model: str, size: Size, prompt: str, seeds: tuple[int, ...]) -> Recipe:
    return Recipe(
        model=model,
        prompt=prompt,
        width=size.side,
        height=size.side,
        steps=size.steps,
        cfg_scale=Decimal(str(GUIDANCE)),
        sampler="euler_a",
        seeds=seeds,
    )
