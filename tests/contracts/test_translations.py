"""What people read comes in Korean too, and the compiled words are the written ones."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils import translation

from pingvas.core.catalogs import catalogs, compile_catalog, untranslated

ROOT = Path(__file__).parents[2]
APPS = [
    "accounts",
    "billing",
    "gallery",
    "generation",
    "modelhub",
    "pingvas",
    "workers",
]
# Where pages speak; what programs read has its code beside the words.
PAGE_MODULES = {
    *("views.py", "forms.py", "history.py", "pages.py", "words.py", "failures.py"),
    *("admin.py", "staff_admin.py", "staff_menu.py", "staff_words.py", "sites.py"),
}
MARKS = {"_", "gettext", "gettext_lazy"}
TAG = re.compile(r"""{%\s*translate\s+(["'])(.+?)\1""")
BLOCK = re.compile(r"{%\s*blocktranslate\b.*?%}(.*?){%\s*endblocktranslate\s*%}", re.S)
PLURAL = re.compile(r"{%\s*plural\s*%}")
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
SOURCES = list(catalogs())


def sentences_in_code():
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if path.name not in PAGE_MODULES:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS:
                    [sentence] = node.args
                    # A name holds words that are marked where they are written.
                    if isinstance(sentence, ast.Constant):
                        yield sentence.value


def sentences_in_templates():
    for app in APPS:
        for path in (ROOT / app).rglob("templates/**/*.html"):
            text = path.read_text()
            for _, sentence in TAG.findall(text):
                yield sentence
            for block in BLOCK.findall(text):
                sentence = PLURAL.split(block)[0]
                yield re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", sentence)


@pytest.fixture
def korean():
    """Our own catalogs, the studio's first, as Django puts them together."""
    roots = [str(path.parents[2]) for path in SOURCES]
    first, *others = [gettext.translation("django", one, ["ko"]) for one in roots]
    for other in others:
        first.add_fallback(other)
    return first


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.parent.parent.name)
def test_the_compiled_words_are_the_written_ones(source):
    assert source.with_suffix(".mo").read_bytes() == compile_catalog(source)
    assert untranslated(source) == []


@pytest.mark.parametrize("sentences", [sentences_in_code, sentences_in_templates])
def test_every_sentence_has_korean_words(korean, sentences):
    found = set(sentences())
    assert len(found) > 50
    assert {one for one in found if korean.gettext(one) == one} == set()


def test_every_figure_of_a_sentence_is_in_the_korean_one(korean):
    for sentence in {*sentences_in_code(), *sentences_in_templates()}:
        places = sorted(PLACE.findall(sentence))
        assert sorted(PLACE.findall(korean.gettext(sentence))) == places, sentence


def test_django_speaks_the_words_that_we_compiled():
    with translation.override("ko"):
        assert translation.gettext("Generate") == "생성"
