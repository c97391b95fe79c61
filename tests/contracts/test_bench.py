"""The benches stay runnable: the tiniest case of two of them."""

from __future__ import annotations

import pytest

from bench.cases import claim, settle

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
