"""The benches stay runnable: the tiniest case of three of them."""

from __future__ import annotations

import math
from multiprocessing.pool import ThreadPool

import pytest

from bench import probe
from bench.cases import before, claim, settle
from bench.clients import open_clients
from bench.programs import open_web
from bench.report import Rounds

pytestmark = pytest.mark.django_db(transaction=True)


def test_settlements_are_measured_beside_their_own_statements():
    ratios = settle.measure(small=True, size=settle.TINIEST)
    assert [ratio.name for ratio in ratios] == [
        "settled jobs a second",
        "  processor time of one",
        "completed jobs a second",
        "  processor time of one",
    ]
    assert all(ratio.ours > 0 and ratio.other > 0 for ratio in ratios)


def test_claims_are_timed_from_a_short_and_a_long_queue():
    ratios = claim.measure(small=True, size=claim.TINIEST)
    assert [ratio.goal for ratio in ratios] == ["<= 1.5", "<= 1.5"]
    assert all(ratio.ours > 0 and ratio.other > 0 for ratio in ratios)


class ThisVersion:
    """Asked in this process instead of one of its own."""

    def __init__(self, probe):
        self._probe = probe

    def ask(self, name, *arguments):
        return getattr(self._probe, name)(*arguments)


def test_a_version_beside_itself_answers_every_call_of_the_comparison():
    probe.fill()
    with open_web() as port, open_clients(1) as settlers, ThreadPool(2) as pool:
        side = ThisVersion(probe.Probe([port], settlers))
        ratios = before.compare(side, side, pool, before.TINIEST)
    goals = [ratio.name for ratio in ratios if ratio.goal]
    assert goals == ["  upper end of the interval"] * 4
    assert all(ratio.ours > 0 and ratio.other > 0 for ratio in ratios)
    assert [ratio.name for ratio in ratios if "second" in ratio.name] == [
        "submissions a second",
        "completed jobs a second",
        "lists of jobs a second",
        "lists of pictures a second",
        "sign-ins a second",
    ]


def test_who_is_measured_first_changes_with_every_round():
    calls = []

    def measure(name):
        calls.append(name)
        return float(len(calls))

    rounds = Rounds.swap(3, lambda: measure("this"), lambda: measure("before"))
    assert calls == ["this", "before", "before", "this", "this", "before"]
    assert rounds.ours == [1.0, 4.0, 5.0]
    assert rounds.other == [2.0, 3.0, 6.0]


def test_the_interval_is_students_of_the_log_ratios():
    rounds = Rounds(ours=[2.0, 8.0, 4.0], other=[1.0, 2.0, 1.0])
    low, high = rounds.interval()
    # The logs are ln 2, 2 ln 2, 2 ln 2: mean 5/3 ln 2, standard error 1/3 ln 2.
    assert math.log2(low) == pytest.approx((5 - 4.303) / 3)
    assert math.log2(high) == pytest.approx((5 + 4.303) / 3)
    assert rounds.mean_ratio(name="", unit="").ratio == pytest.approx(2 ** (5 / 3))


def test_rounds_that_agree_leave_no_interval():
    assert Rounds(ours=[3.0] * 10, other=[4.0] * 10).interval() == (0.75, 0.75)
