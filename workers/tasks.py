"""Messages to the workers, and the life of a generation worker's child process."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from celery import shared_task
from celery.signals import (
    worker_process_init,
    worker_process_shutdown,
    worker_shutting_down,
)
from django.conf import settings

from generation.services.wake import RUN_TASK
from workers.ledger_audit import run_nightly_audit
from workers.stopping import Stop, StopBoard

if TYPE_CHECKING:
    from workers.runner import Runner

log = logging.getLogger(__name__)

# An idle child looks by itself this often: a message that was lost delays nobody more.
IDLE_SECONDS = settings.LEASE_SECONDS / 6
BEAT_SECONDS = 5.0


# Made before any child is forked, so that they share it.
BOARD = StopBoard()
# A parent that must stop waits so long for its children to give back what they run.
GIVING_BACK_SECONDS = 10.0


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


# Its name is from before the audit looked into the store, and messages go by it.
@shared_task(name="billing.audit_ledger", ignore_result=True)
def audit_ledger() -> None:
    run_nightly_audit()


def may_overlap(choice: str, device: str) -> bool:
    """Whether a pass is finished beside the next one's steps, for WORKER_OVERLAP.

    By itself wherever something is left to do it: the processor beside a GPU, or a
    second core (figures in bench/ENGINE.md).
    """
    if choice != "auto":
        return choice == "yes"
    return device == "cuda" or len(os.sched_getaffinity(0)) > 1


@worker_process_init.connect
def start_child(**kwargs: object) -> None:
    """Load torch here, in the child: the parent never touches the device."""
    if settings.WORKER_KIND != "generation":
        return
    from workers.engine.engine import Engine
    from workers.model_cache import ModelCache
    from workers.runner import Runner

    engine = Engine()
    runner = Runner(
        engine,
        ModelCache(),
        settings.WORKER_TIERS,
        models=settings.WORKER_MODELS,
        board=BOARD,
        overlap=may_overlap(settings.WORKER_OVERLAP, engine.device.kind),
    )
    runner.register(f"{socket.gethostname()}:{os.getpid()}")
    _Child.runner = runner
    _repeat(IDLE_SECONDS, runner.run_all_when_idle)
    _repeat(BEAT_SECONDS, runner.beat)
    # Beside the start, so that the child answers its parent meanwhile.
    threading.Thread(
        target=runner.warm_up,
        args=(settings.WORKER_WARM_MODELS,),
        daemon=True,
        name="warm-up",
    ).start()


@worker_shutting_down.connect
def stop_children(how: str = "Warm", **kwargs: object) -> None:
    """In the parent, as soon as it is told to stop: no job shall pay for it.

    A warm shutdown lets jobs end; a cold one, which SIGTERM means by REMAP_SIGTERM,
    waits a moment for them to be given back. Celery would cut them off.
    """
    if settings.WORKER_KIND != "generation":
        return
    if how == "Warm":
        BOARD.ask(Stop.AFTER_JOBS)
        return
    BOARD.ask(Stop.AT_ONCE)
    BOARD.wait_until_idle(GIVING_BACK_SECONDS)


@worker_process_shutdown.connect
def end_child(**kwargs: object) -> None:
    _Child.ended.set()
    if _Child.runner is not None:
        _Child.runner.leave()


@contextmanager
def _end_on_exit() -> Iterator[None]:
    """End the process, whichever thread shall: its device is lost, or a signal came."""
    try:
        yield
    except SystemExit:
        with suppress(Exception):
            end_child()
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
