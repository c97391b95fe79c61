"""Jobs of the tiny model, and the engine in slow motion."""

from __future__ import annotations

import time

from generation.models import GenerationJob
from generation.services.submit import submit_jobs
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.recipe.recipe import Recipe
from workers.engine.engine import Engine


def submit(user, seeds=(7,), **over):
    values = {
        "model": "tiny",
        "prompt": "작은 별",
        "width": 64,
        "height": 64,
        "steps": 2,
    }
    recipe = Recipe(**values | {"seeds": seeds} | over)
    with acting_as(user_actor(user.id)):
        return submit_jobs(user=user, recipe=recipe)


def read(job):
    with acting_as(SERVICE):
        return GenerationJob.objects.get(id=job.id)


def wait_until(happened, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class SlowEngine(Engine):
    """Every step takes `pause` seconds more; `on_step` is told of it first."""

    def __init__(self, pause=0.0, on_step=lambda done: None):
        super().__init__("cpu")
        self.pause, self.told = pause, on_step

    def denoise(self, spec, *, on_step, **callbacks):
        def slowly(done, total):
            on_step(done, total)
            self.told(done)
            time.sleep(self.pause)

        return super().denoise(spec, on_step=slowly, **callbacks)
