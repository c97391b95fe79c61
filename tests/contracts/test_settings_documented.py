from __future__ import annotations

from tests.contracts.house import ROOT
from tests.contracts.settings_names import (
    compose_names,
    explained_names,
    names_read,
    names_read_in,
)


def test_every_setting_is_explained():
    assert names_read() | compose_names() <= set(explained_names())


def test_nothing_is_explained_that_nobody_reads():
    assert set(explained_names()) <= names_read() | compose_names()


def test_nothing_is_explained_twice():
    names = explained_names()
    assert sorted(names) == sorted(set(names))


def test_every_setting_is_explained_in_both_languages():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for block in text.split("\n\n"):
        words = "\n".join(line for line in block.splitlines() if line.startswith("#"))
        assert any("가" <= letter <= "힣" for letter in words), block


def test_the_search_sees_every_way_of_reading():
    source = """
env_str("A", "x"); env_secret("B_FILE"); env_bool("C", default=True)
env_int("D", 1); env_choice("E", [], ""); env_list("F"); database("G", x=1)
os.environ["H"]; os.environ.get("I"); os.environ["STORED"] = "1"
"""
    assert set(names_read_in(source)) == set("ABCDEFGHI")
    assert {"SECRET_KEY", "DATABASE_ADMIN_URL", "S3_BUCKET"} <= names_read()
