"""What both training loops share: learning rate, averaged weights, checkpoints, log."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

WARM_UP_STEPS = 200
SAVE_EVERY = 500
LOG_EVERY = 50


@dataclass(frozen=True)
class Schedule:
    """Cosine decay from `rate` to a hundredth of it, after a linear warm-up."""

    rate: float
    steps: int

    def at(self, step: int) -> float:
        warm = min(1.0, (step + 1) / WARM_UP_STEPS)
        progress = min(1.0, step / self.steps)
        return self.rate * warm * (0.505 + 0.495 * math.cos(math.pi * progress))


class AveragedWeights:
    """Exponential moving average of parameters, what the finished model is made of."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = [p.detach().clone() for p in model.parameters()]

    def update(self, model: nn.Module, step: int) -> None:
        # Young averages must forget their random start quickly.
        decay = min(self.decay, (1 + step) / (10 + step))
        current = [p.detach() for p in model.parameters()]
        torch._foreach_lerp_(self.values, current, 1 - decay)

    def copy_to(self, model: nn.Module) -> None:
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), self.values, strict=True):
                parameter.copy_(value)


def load_average(model: nn.Module, checkpoint: Path) -> None:
    """Give a model the averaged weights of a checkpoint."""
    average = AveragedWeights(model, decay=0)
    average.values = torch.load(checkpoint, weights_only=True)["average"]
    average.copy_to(model)


@dataclass
class Run:
    """A model in training, with all that a later process needs to go on with it."""

    name: str
    folder: Path
    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: AveragedWeights
    schedule: Schedule
    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.pt"

    def resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.values = state["average"]
        self.step, self.seconds = state["step"], state["seconds"]
        self.forget_later_lines()

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log.jsonl"

    def forget_later_lines(self) -> None:
        """Steps after the checkpoint are run again, and logged again."""
        if self.log_file.exists():
            lines = self.log_file.read_text().splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            self.log_file.write_text("".join(kept))

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.values,
            "step": self.step,
            "seconds": self.seconds,
        }
        aside = self.checkpoint.with_suffix(".part")
        torch.save(state, aside)
        os.replace(aside, self.checkpoint)

    def log(self, figures: dict[str, Any]) -> None:
        line = {"step": self.step, "seconds": round(self.seconds), **figures}
        with self.log_file.open("a") as file:
            file.write(json.dumps(line) + "\n")


def descend(run: Run, loss: torch.Tensor) -> None:
    """One optimizer step with a bounded gradient."""
    rate = run.schedule.at(run.step)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step()
    run.step += 1
    run.average.update(run.model, run.step)
    run.losses.append(float(loss.detach()))


def mean_loss(run: Run) -> float:
    mean = sum(run.losses) / max(1, len(run.losses))
    run.losses.clear()
    return round(mean, 5)


def train(
    run: Run,
    loss_of: Callable[[int], torch.Tensor],
    judge: Callable[[Run], dict[str, Any]],
) -> None:
    """Run to the end of the schedule; `loss_of` gets the step as its seed."""
    run.folder.mkdir(parents=True, exist_ok=True)
    run.resume()
    started = time.monotonic() - run.seconds
    while run.step < run.schedule.steps:
        descend(run, loss_of(run.step))
        run.seconds = time.monotonic() - started
        if run.step % SAVE_EVERY == 0 or run.step == run.schedule.steps:
            run.save()
            run.log({"loss": mean_loss(run), **judge(run)})
        elif run.step % LOG_EVERY == 0:
            run.log({"loss": mean_loss(run)})
