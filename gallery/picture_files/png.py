"""Texts in a PNG: tEXt, zTXt and iTXt, before the pixels and after them.

https://www.w3.org/TR/png-3/#11textinfo
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from gallery.metadata import A1111_CHUNK, OWN_CHUNK
from gallery.picture_files.errors import PictureDamaged
from gallery.picture_files.parts import LONGEST_TEXT, MOST_PARTS, Texts, skip, take

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NAMES = frozenset(name.encode() for name in (OWN_CHUNK, A1111_CHUNK))


def read_png(file: BinaryIO) -> Texts:
    """PictureDamaged for a file that ends early, or whose texts fail their sums."""
    texts, awaited = Texts(), set(NAMES)
    for kind, body in _text_chunks(file):
        name, _, value = body.partition(b"\0")
        if name in awaited:
            # Also of one that cannot be kept: a file may hold thousands of bombs.
            awaited.remove(name)
            texts.keep(name.decode(), _TEXTS[kind](value))
    return texts


def _text_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Those of a sound size that may be ours, up to the end of the picture."""
    take(file, len(SIGNATURE))
    for number in range(MOST_PARTS):
        length, kind = struct.unpack(">I4s", take(file, 8))
        if number == 0 and (kind, length) != (b"IHDR", 13):
            raise PictureDamaged
        if kind in _TEXTS and length <= LONGEST_TEXT:
            yield kind, _checked(file, kind, length)
        else:
            skip(file, length + 4)
        if kind == b"IEND":
            return
    raise PictureDamaged


def _checked(file: BinaryIO, kind: bytes, length: int) -> bytes:
    body = take(file, length)
    if zlib.crc32(kind + body) != int.from_bytes(take(file, 4), "big"):
        raise PictureDamaged
    return body


def _plain(value: bytes) -> str:
    # Latin-1 by the standard, and so are ours; others write UTF-8 all the same.
    return value.decode("latin-1")


def _compressed(value: bytes) -> str | None:
    """After a byte for the method, of which there is one."""
    content = _inflated(value[1:]) if value[:1] == b"\0" else None
    return None if content is None else _plain(content)


def _unicode(value: bytes) -> str | None:
    """After two bytes about compression, a language and a translated name."""
    head, rest = value[:2], value[2:].split(b"\0", 2)
    if len(head) < 2 or len(rest) < 3:
        raise PictureDamaged
    content = _inflated(rest[2]) if head[0] else rest[2]
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        raise PictureDamaged from None


def _inflated(content: bytes) -> bytes | None:
    """None for what would become too long: of a bomb, no more is made than is kept."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(content, LONGEST_TEXT + 1)
    except zlib.error:
        raise PictureDamaged from None
    return found if len(found) <= LONGEST_TEXT else None


_TEXTS: dict[bytes, Callable[[bytes], str | None]] = {
    b"tEXt": _plain,
    b"zTXt": _compressed,
    b"iTXt": _unicode,
}
