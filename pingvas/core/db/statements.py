"""Statements that are written out, and the names of the values that they take.

    LOCK = Statement("SELECT 1 FROM queue_shares WHERE user_id = %(user)s FOR UPDATE")
    READ = Statement("SELECT status FROM generation_jobs WHERE id = %(job)s")
    [locked], rows = read_together([LOCK.bind(user=user_id), READ.bind(job=job_id)])

A statement refuses a value too few and a value too many. Statements that go in one
flight share one set of names: two that mean different things by one name are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_NAME = re.compile(r"%\((\w+)\)s")


class WrongParameters(TypeError):
    """A statement was not given the values that it names, or one name means two."""


class Bound(NamedTuple):
    """A statement's text, and a value for each of its names."""

    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """SQL whose values are named, as in `%(user)s`."""

    text: str
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(_NAME.findall(self.text)))

    @classmethod
    def of(cls, template: str, **parts: str) -> Statement:
        """The template with SQL of our own in the place of `{part}`."""
        return cls(template.format(**parts))

    def bind(self, **values: Any) -> Bound:
        """The statement with all of its values; WrongParameters otherwise."""
        if values.keys() != self.names:
            missing = ", ".join(sorted(self.names - values.keys())) or "none"
            unknown = ", ".join(sorted(values.keys() - self.names)) or "none"
            raise WrongParameters(f"missing: {missing}; unknown: {unknown}")
        return Bound(self.text, values)


def join(statements: Iterable[Bound]) -> Bound:
    """All of them as one text; WrongParameters where one name has two values."""
    texts: list[str] = []
    together: dict[str, Any] = {}
    for text, values in statements:
        texts.append(text)
        for name, value in values.items():
            if not _same(together.setdefault(name, value), value):
                raise WrongParameters(f"two statements mean two things by {name!r}")
    return Bound(";".join(texts), together)


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and one == other)
