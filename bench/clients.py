"""Processes that call the services, each with a connection of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool
from typing import Any

from bench.programs import worker_url

Work = Callable[[int, int], None]


def _enter(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    import django

    django.setup()


@contextmanager
def open_clients(count: int, *, database: str | None = None) -> Iterator[Pool]:
    """`count` processes with Django set up on this run's database, or on another.

    They sign in as workers do: jobs are claimed and ended by nobody else.
    """
    environment = {"DATABASE_URL": worker_url(database)}
    with get_context("spawn").Pool(count, _enter, (environment,)) as pool:
        yield pool


def rate_of(
    pool: Pool,
    work: Work,
    *,
    clients: int,
    first: int,
    each: int,
    apart: int | None = None,
) -> float:
    """Calls a second of all clients together, from the first start to the last end.

    `work(first, count)` makes that many calls; the clients' numbers lie `apart`, by
    default so that no row is taken twice.
    """
    step = each if apart is None else apart
    shares = [(work, first + client * step, each) for client in range(clients)]
    spans = pool.starmap(_timed, shares, chunksize=1)
    started, ended = min(span[0] for span in spans), max(span[1] for span in spans)
    return clients * each / (ended - started)


def _timed(work: Any, first: int, count: int) -> tuple[float, float]:
    started = time.monotonic()
    work(first, count)
    return started, time.monotonic()
