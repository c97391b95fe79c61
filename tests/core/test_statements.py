"""Statements that go in one flight: each has its values, and none takes another's."""

from __future__ import annotations

import pytest

from pingvas.core.db.rows import read_together
from pingvas.core.db.statements import Statement, WrongParameters

BY_USER = Statement("SELECT %(user)s::text")
BY_TIER = Statement("SELECT %(tier)s::text WHERE %(tier)s::text <> ''")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "missing: user; unknown: none"),
        ({"user": 1, "tier": 2}, "missing: none; unknown: tier"),
        ({"users": 1}, "missing: user; unknown: users"),
    ],
)
def test_a_statement_takes_the_values_that_it_names_and_no_other(values, said):
    with pytest.raises(WrongParameters, match=said):
        BY_USER.bind(**values)


@pytest.mark.django_db
def test_statements_of_one_flight_answer_each_with_its_values():
    flight = [BY_USER.bind(user="alice"), BY_TIER.bind(tier="free")]
    assert read_together(flight) == [[("alice",)], [("free",)]]


@pytest.mark.django_db
def test_one_name_with_one_value_may_stand_in_several_statements():
    flight = [BY_USER.bind(user="alice"), BY_USER.bind(user="alice")]
    assert read_together(flight) == [[("alice",)], [("alice",)]]


# The last two are equal for Python, and not the same SQL.
@pytest.mark.parametrize("values", [("alice", "bob"), ("alice", None), (False, 0)])
def test_one_name_with_two_values_is_refused_before_anything_is_sent(values):
    with pytest.raises(WrongParameters, match="two things by 'user'"):
        read_together([BY_USER.bind(user=value) for value in values])
