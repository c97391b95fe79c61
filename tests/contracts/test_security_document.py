"""Whatever the document on security names is there."""

from __future__ import annotations

import re

import pytest

from tests.contracts.house import ROOT

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", DOCUMENT)))
LINKED = sorted(set(re.findall(r"\]\((\.\./[\w/.]+)\)", DOCUMENT)))


def test_the_document_names_a_test_for_every_attack():
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| ")]
    attacks = rows[rows.index("| attack | test |") + 1 :]
    assert len(attacks) > 40
    assert not [row for row in attacks if "test" not in row]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_it_names_exists(file, name):
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE)


@pytest.mark.parametrize("link", LINKED)
def test_every_file_that_it_leads_to_exists(link):
    assert (ROOT / "docs" / link).exists()
