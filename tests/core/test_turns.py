"""So much at once, so much waiting, and the rest is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from pingvas.core.errors import ServiceUnavailable
from pingvas.core.turns import Turns


class Busy(ServiceUnavailable):
    code = "busy"


def turns_of(running, waiting, seconds=2):
    return Turns(running, waiting, busy=Busy, seconds=seconds)


def test_so_many_run_so_many_wait_and_the_rest_is_refused():
    turns, go, inside = turns_of(2, 3), Event(), Barrier(3)

    def work():
        with turns.turn():
            inside.wait(10)
            go.wait(10)

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(work) for _ in range(2)]
        inside.wait(10)
        inside = Barrier(1)
        waiting = [pool.submit(work) for _ in range(3)]
        while turns._here._value:
            pass
        with pytest.raises(Busy), turns.turn():
            pass
        go.set()
        for one in (*running, *waiting):
            one.result(10)
    with turns.turn():
        pass


def test_whoever_waits_too_long_is_refused():
    turns = turns_of(1, 1, 0.01)
    with turns.turn(), pytest.raises(Busy), turns.turn():
        pass
    with turns.turn():
        pass


def test_an_error_gives_the_turn_back():
    turns = turns_of(1, 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns.turn():
            _ = 1 / 0
