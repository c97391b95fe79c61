"""Prepares the database by the set-up commands of manage.py."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pingvas.local.console import say
from pingvas.local.environment import Environment
from pingvas.local.errors import LocalError
from pingvas.local.home import CHECKOUT
from pingvas.local.processes import end_process, read_last_lines, spawn
from pingvas.local.programs import Step


def run_steps(
    steps: tuple[Step, ...],
    environment: Environment,
    *,
    embedded: bool,
    log: Path,
    is_stopping: Callable[[], bool],
) -> None:
    """Run each step that applies; say which do not, and why.

    Args:
        embedded: whether the database is the one that this checkout runs.

    Raises:
        LocalError: a step failed; with the end of its output.
    """
    wanted = [step for step in steps if embedded or not step.embedded_only]
    possible = [step for step in wanted if _is_possible(step, environment)]
    for step in dict.fromkeys(step for step in wanted if step not in possible):
        say(
            f"{step.privileges[0]}이(가) 없어 {step.argv[0]}을(를) 건너뜁니다.",
            f"Skipping {step.argv[0]}: {step.privileges[0]} is not set.",
        )
    for step in possible:
        if not is_stopping():
            _run_step(step, environment, log=log, is_stopping=is_stopping)


def _is_possible(step: Step, environment: Environment) -> bool:
    return not step.privileges or step.privileges[0] in environment.privileged


def _run_step(
    step: Step, environment: Environment, *, log: Path, is_stopping: Callable[[], bool]
) -> None:
    child = spawn(
        [sys.executable, "manage.py", *step.argv],
        log=log,
        env=environment.with_privileges(step.privileges),
        cwd=CHECKOUT,
    )
    while child.poll() is None:
        if is_stopping():
            end_process(
                child.pid,
                [(signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)],
                is_alive=lambda: child.poll() is None,
            )
            return
        time.sleep(0.05)
    if child.returncode:
        command = " ".join(("manage.py", *step.argv))
        last = "\n".join(f"    {line}" for line in read_last_lines(log, 15))
        raise LocalError(
            f"{command} failed ({child.returncode}). The end of {log}:\n{last}",
            f"{command} 실행에 실패했습니다. 로그: {log}",
        )
