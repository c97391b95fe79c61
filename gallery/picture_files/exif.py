"""The one text of EXIF that says how a picture was made: UserComment.

EXIF is a TIFF file: a list of entries (tag, type, count, value or where it lies), of
which one points to another list, that has the comment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from gallery.picture_files.parts import LONGEST_TEXT

MARK = b"Exif\0\0"
# What EXIF may be in all: the comment, and a small picture beside it.
LARGEST_EXIF = 2 * LONGEST_TEXT
EXIF_LIST = 0x8769
USER_COMMENT = 0x9286
SHORT, LONG = 3, 4
ENTRY = 12
MOST_ENTRIES = 1_000
ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
# By the first eight bytes; the third is that of an encoding that is not named.
ASCII, UNICODE, UNNAMED = b"ASCII\0\0\0", b"UNICODE\0", b"\0" * 8


def user_comment(content: bytes) -> str | None:
    """The comment in `content`, with or without EXIF's own mark before it."""
    tiff = content.removeprefix(MARK)[:LARGEST_EXIF]
    order = ORDERS.get(tiff[:4])
    if order is None:
        return None
    start = _number(tiff, 4, order, LONG)
    entries = dict(_entries(tiff, start, order))
    if EXIF_LIST in entries:
        _, _, place = entries[EXIF_LIST]
        start = _number(tiff, place, order, LONG)
        entries |= dict(_entries(tiff, start, order))
    return _comment(tiff, order, *entries.get(USER_COMMENT, (0, 0, 0)))


def _entries(
    tiff: bytes, start: int, order: str
) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """By tag: type, count, and the place of the four bytes of the value."""
    count = _number(tiff, start, order, SHORT)
    for number in range(min(count, MOST_ENTRIES)):
        place = start + 2 + number * ENTRY
        if place + ENTRY > len(tiff):
            return
        tag, kind, size = struct.unpack_from(f"{order}HHI", tiff, place)
        yield tag, (kind, size, place + 8)


def _number(tiff: bytes, place: int, order: str, kind: int) -> int:
    """0, where there is no list, for what lies beyond the end."""
    form = order + {SHORT: "H", LONG: "I"}[kind]
    end = place + struct.calcsize(form)
    return int(struct.unpack_from(form, tiff, place)[0]) if end <= len(tiff) else 0


def _comment(tiff: bytes, order: str, kind: int, size: int, place: int) -> str | None:
    # More than four bytes lie elsewhere; one that long holds no settings.
    if size <= len(ASCII) or size > LONGEST_TEXT:
        return None
    start = _number(tiff, place, order, LONG)
    raw = tiff[start : start + size]
    return decoded(raw) if len(raw) == size else None


def decoded(raw: bytes) -> str:
    """A comment as text, after the eight bytes that name its encoding, if they do."""
    name, rest = raw[:8], raw[8:]
    if name == UNICODE and b"\0" in rest:
        return _utf16(rest)
    content = rest if name in (ASCII, UNICODE, UNNAMED) else raw
    try:
        # Some write UTF-8, whatever they say that it is.
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.rstrip("\0")


def _utf16(content: bytes) -> str:
    """In the order of its bytes that gives more ASCII, which settings are named in.

    The order of EXIF's own numbers says nothing: most programs write the other way.
    """
    whole = content[: len(content) // 2 * 2]
    readings = [whole.decode(f"utf-16-{order}", "replace") for order in ("be", "le")]
    best = max(readings, key=lambda text: sum(map(str.isascii, text)))
    return best.lstrip("\ufeff").rstrip("\0")
