"""Messages to the generation worker, and the life of its child process."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from celery import shared_task
from celery.signals import worker_process_init, worker_process_shutdown
from django.conf import settings

from generation.services.wake import RUN_TASK

if TYPE_CHECKING:
    from workers.runner import Runner

log = logging.getLogger(__name__)

# An idle child looks by itself this often: a message that was lost delays nobody more.
IDLE_SECONDS = settings.LEASE_SECONDS / 6
BEAT_SECONDS = 5.0


class _Child:
    """The runner of this process; None in the parent and in maintenance workers."""

    runner: Runner | None = None
    ended = threading.Event()


@shared_task(name=RUN_TASK)
def run_next(job_id: str | None = None, user_id: str | None = None) -> bool:
    """Run what PostgreSQL says is next, which may be another job than the one named."""
    if _Child.runner is None:
        raise RuntimeError("this worker runs no jobs: PINGVAS_WORKER is not generation")
    with _end_on_exit():
        return _Child.runner.run_next()


@worker_process_init.connect
def start_child(**kwargs: object) -> None:
    """Load torch here, in the child: the parent never touches the device."""
    if settings.WORKER_KIND != "generation":
        return
    from workers.engine.engine import Engine
    from workers.model_cache import ModelCache
    from workers.runner import Runner

    runner = Runner(Engine(), ModelCache(), settings.WORKER_TIERS)
    runner.register(f"{socket.gethostname()}:{os.getpid()}")
    _Child.runner = runner
    _repeat(IDLE_SECONDS, runner.run_all_when_idle)
    _repeat(BEAT_SECONDS, runner.beat)


@worker_process_shutdown.connect
def end_child(**kwargs: object) -> None:
    _Child.ended.set()
    if _Child.runner is not None:
        _Child.runner.leave()


@contextmanager
def _end_on_exit() -> Iterator[None]:
    """End the process when its device is lost, whichever thread found out."""
    try:
        yield
    except SystemExit:
        os._exit(1)


def _repeat(seconds: float, act: Callable[[], object]) -> None:
    def loop() -> None:
        while not _Child.ended.wait(seconds):
            try:
                with _end_on_exit():
                    act()
            except Exception:
                # PostgreSQL may be away for a while; the next turn tries again.
                log.exception("a worker's own look failed")

    threading.Thread(target=loop, daemon=True, name=act.__name__).start()
