"""Whatever ends a job without a picture is told in words, to its owner and to staff."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.utils import translation

from generation.failures import FAILURES, words_for_owners, words_for_staff
from generation.services.lifecycle import PARENT_FAILED
from generation.words import create_words
from workers.ending import UNEXPECTED

ROOT = Path(__file__).parents[2]
# What no job ends with: after a stop it is cancelled, or waits again, as it does where
# the store is away.
NO_FAILURES = {"stopped", "storage_unavailable"}
# Functions that end a job with the code after their first argument.
ENDINGS = {"_fail", "_give_back", "_take_back"}


def codes():
    """Every code that an error of the workers has or is given, or that ends a job."""
    services = (ROOT / "generation" / "services").glob("*.py")
    for path in [*(ROOT / "workers").rglob("*.py"), *services]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield from strings(code_given(node))
            if isinstance(node, ast.ClassDef) and "workers" in path.parts:
                for line in node.body:
                    if isinstance(line, ast.Assign) and line.targets[0].id == "code":
                        yield from strings(line.value)
    yield from (UNEXPECTED[0], PARENT_FAILED["error_code"])


def code_given(call):
    for keyword in call.keywords:
        if keyword.arg == "code":
            return keyword.value
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
    return call.args[1] if name in ENDINGS and len(call.args) > 1 else None


def strings(value):
    for node in ast.walk(value) if value else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_table_has_every_code_that_a_job_can_end_with_and_no_other():
    found = set(codes()) - NO_FAILURES
    assert len(found) > 30
    assert set(FAILURES) == found


@pytest.mark.parametrize("words", [words_for_owners, create_words])
def test_owners_read_each_code_in_their_language(words):
    said = {}
    for language in ("en", "ko"):
        with translation.override(language):
            named = {one.removeprefix("error."): text for one, text in words().items()}
        said[language] = [named[code] for code in [*FAILURES, "unknown"]]
    assert all(said["en"])
    assert [ko for en, ko in zip(*said.values(), strict=True) if en == ko] == []


def test_staff_read_words_in_their_language_and_no_code():
    said = [FAILURES.keys()]
    for language in ("en", "ko"):
        with translation.override(language):
            said.append([words_for_staff(code) for code in FAILURES])
    assert [told for told in zip(*said, strict=True) if len(set(told)) < 3] == []


def test_what_another_version_ended_a_job_with_is_shown_to_staff_as_it_is():
    assert words_for_staff("a_later_reason") == "a_later_reason"
    # Whatever language an earlier request of this thread was answered in.
    with translation.override("en"):
        assert words_for_staff(None) == "No reason given"
