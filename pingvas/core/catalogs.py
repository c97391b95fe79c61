"""Compiles translations without GNU gettext: `.po` in, `.mo` out.

The `.mo` files are kept in the repository, so that running the studio takes neither
gettext nor a build step. The format is the one that Python's `gettext` reads:
https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
"""

from __future__ import annotations

import re
import struct
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

MAGIC = 0x950412DE
HEADER_BYTES = 28
PAIR_BYTES = 8
KEYWORD = re.compile(r"msgctxt|msgid(_plural)?|msgstr(\[\d\])?")
CONTEXT_END = "\x04"
FORM_END = "\0"


def catalogs() -> Iterator[Path]:
    """Every `.po` file of the project."""
    for root in settings.LOCALE_PATHS:
        yield from sorted(Path(root).glob("*/LC_MESSAGES/*.po"))


def compile_catalog(source: Path) -> bytes:
    """The `.mo` for a `.po`; the same bytes for the same words."""
    return _pack(dict(_translated(source.read_text("utf-8"))))


def untranslated(source: Path) -> list[str]:
    """Sentences of the `.po` without words of their own."""
    entries = _entries(source.read_text("utf-8"))
    return [entry["msgid"] for entry in entries if not all(_words(entry))]


def _translated(text: str) -> Iterator[tuple[str, str]]:
    for entry in _entries(text):
        key = entry["msgid"]
        if "msgctxt" in entry:
            key = entry["msgctxt"] + CONTEXT_END + key
        if "msgid_plural" in entry:
            key += FORM_END + entry["msgid_plural"]
        if all(_words(entry)):
            yield key, FORM_END.join(_words(entry))


def _words(entry: dict[str, str]) -> list[str]:
    """The translation: one form, or all plural forms in their order."""
    return [entry[name] for name in sorted(entry) if name.startswith("msgstr")]


def _entries(text: str) -> Iterator[dict[str, str]]:
    """Entries are blocks between empty lines; a string may go on over many lines."""
    for block in text.split("\n\n"):
        entry: dict[str, str] = {}
        keyword = ""
        for line in block.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if not line.startswith('"'):
                keyword, _, line = line.partition(" ")
                if not KEYWORD.fullmatch(keyword):
                    raise ValueError(f"unknown keyword in a catalog: {keyword}")
                entry[keyword] = ""
            entry[keyword] += literal_eval(line)
        if entry:
            yield entry


def _pack(words: dict[str, str]) -> bytes:
    # Readers search the originals by halves: they are sorted by their bytes.
    pairs = sorted((key.encode(), value.encode()) for key, value in words.items())
    tables = HEADER_BYTES + 2 * PAIR_BYTES * len(pairs)
    texts = bytearray()
    index: list[tuple[int, int]] = []
    for column in (0, 1):
        for pair in pairs:
            index.append((len(pair[column]), tables + len(texts)))
            texts += pair[column] + b"\0"
    translations = HEADER_BYTES + PAIR_BYTES * len(pairs)
    header = (MAGIC, 0, len(pairs), HEADER_BYTES, translations, 0, tables)
    return (
        struct.pack("<7I", *header)
        + b"".join(struct.pack("<2I", *place) for place in index)
        + bytes(texts)
    )
