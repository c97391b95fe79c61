"""Threads that do things at the same time, and what became of each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection

from pingvas.core.db.actor import Actor, acting_as

THREADS = 8
# Far above what a statement takes here: a convoy or a deadlock fails, it never hangs.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '20s'"


def run_together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run each call in a thread of its own; what each returned or raised, in order."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(number: int) -> None:
        try:
            start.wait(timeout=30)
            results[number] = calls[number]()
        except Exception as error:  # noqa: BLE001  # the outcome is what is tested
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(each,)) for each in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return results


def act_together(actor: Actor, calls: list[Callable[[], Any]]) -> list[Any]:
    """The same with a transaction of `actor` around each call."""

    def act(call: Callable[[], Any]) -> Any:
        with acting_as(actor):
            with connection.cursor() as cursor:
                cursor.execute(LOCK_TIMEOUT)
            return call()

    return run_together([partial(act, call) for call in calls])
