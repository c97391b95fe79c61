"""Statements with a part taken out, for the tests that show what it is there for."""

from __future__ import annotations

from pingvas.core.db.statements import Statement


def without(statement: Statement, part: str, instead: str = "") -> Statement:
    assert part in statement.text
    return Statement(statement.text.replace(part, instead))
