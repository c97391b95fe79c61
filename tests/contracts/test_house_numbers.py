"""Small functions, small files: the figures, and the limits they must keep."""

from __future__ import annotations

import ast
from statistics import median, quantiles

import pytest

from tests.contracts.house import ROOT, product_files

LONGEST_FILE = 600
LONG_FUNCTION = 50


def function_lengths():
    """Lines of each function, from `def` to its end, with its place."""
    found = {}
    for file in product_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                place = f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
                found[place] = node.end_lineno - node.lineno + 1
    return found


def file_lengths():
    return {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in product_files()
    }


@pytest.fixture(scope="module")
def lengths():
    return function_lengths()


def test_half_of_all_functions_have_at_most_eight_lines(lengths):
    assert median(lengths.values()) <= 8


def test_nine_of_ten_functions_have_at_most_32_lines(lengths):
    assert quantiles(lengths.values(), n=10)[-1] <= 32


def test_hardly_any_function_has_more_than_fifty_lines(lengths):
    longest = [place for place, lines in lengths.items() if lines > LONG_FUNCTION]
    assert len(longest) <= 0.03 * len(lengths), longest


def test_no_file_has_more_than_six_hundred_lines():
    assert not {f: n for f, n in file_lengths().items() if n > LONGEST_FILE}


def test_the_figures_are_printed(lengths, capsys):
    files = file_lengths()
    long = sum(lines > LONG_FUNCTION for lines in lengths.values())
    largest = max(files, key=files.__getitem__)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(lengths)} functions in {len(files)} files: "
            f"median {median(lengths.values()):g} lines, "
            f"p90 {quantiles(lengths.values(), n=10)[-1]:g}, "
            f"{long} over {LONG_FUNCTION} ({long / len(lengths):.1%}); "
            f"longest file {largest} with {files[largest]} lines"
        )
    assert len(lengths) > 100
