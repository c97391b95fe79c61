"""Small functions, small files: as CONTRIBUTING.md says it, figure by figure."""

from __future__ import annotations

import ast
import re
from statistics import median, quantiles

import pytest

from tests.contracts.house import ROOT, product_files

RULE = re.compile(
    r"Half of all functions have at most (?P<median>\d+) lines, "
    r"nine of ten at most (?P<tenth>\d+), none more than (?P<longest>\d+); "
    r"no file more than (?P<file>\d+)\."
)


@pytest.fixture(scope="module")
def most():
    """The rule's figures, by name."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = RULE.search(" ".join(text.split()))
    assert found, "CONTRIBUTING.md no longer states the rule in these words"
    return {name: int(figure) for name, figure in found.groupdict().items()}


@pytest.fixture(scope="module")
def functions():
    """Lines of each function, from `def` to its end, by its place."""
    found = {}
    for file in product_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                place = f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
                found[place] = node.end_lineno - node.lineno + 1
    assert len(found) > 1000
    return found


def test_half_of_all_functions_are_short(functions, most):
    assert median(functions.values()) <= most["median"]


def test_nine_of_ten_functions_fit_a_screen(functions, most):
    assert quantiles(functions.values(), n=10)[-1] <= most["tenth"]


def test_no_function_is_long(functions, most):
    long = {place: n for place, n in functions.items() if n > most["longest"]}
    assert long == {}


def test_no_file_is_long(most):
    lines = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in product_files()
    }
    assert {name: n for name, n in lines.items() if n > most["file"]} == {}
