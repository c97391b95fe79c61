"""Whatever ends a job without a picture is told in words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.utils import translation

from generation.words import create_words

ROOT = Path(__file__).parents[2]
# A stop is no failure: its jobs are cancelled, or wait again.
NO_FAILURES = {"stopped"}
# What leases and limits end a job with.
OF_THE_QUEUE = {
    "worker_lost",
    "deadline_exceeded",
    "internal_error",
    "parent_failed",
}


def codes():
    """Every `code` that a class under workers/ has, or that is given to an error."""
    for path in (ROOT / "workers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code":
                yield from strings(node.value)
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    if isinstance(line, ast.Assign) and line.targets[0].id == "code":
                        yield from strings(line.value)


def strings(value):
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_reason_for_a_failure_has_words(language):
    with translation.override(language):
        words = create_words()
    known = set(codes()) - NO_FAILURES | OF_THE_QUEUE
    assert len(known) > 20
    assert [code for code in sorted(known) if f"error.{code}" not in words] == []


def test_no_words_are_kept_for_reasons_that_never_come():
    named = {name.removeprefix("error.") for name in create_words() if "error." in name}
    others = {"unknown", "download_cut"}
    assert named - others == (set(codes()) - NO_FAILURES) | OF_THE_QUEUE
