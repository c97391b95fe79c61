"""The comment in the EXIF segment of a JPEG, of which no pixel is read."""

from __future__ import annotations

import os
from typing import BinaryIO

from gallery.metadata import A1111_CHUNK
from gallery.picture_files.errors import PictureDamaged
from gallery.picture_files.exif import MARK, user_comment
from gallery.picture_files.parts import MOST_PARTS, Texts, skip, take

SIGNATURE = b"\xff\xd8\xff"
APP1 = 0xE1
# The pixels begin, and the file ends.
LAST = {0xDA, 0xD9}
# TEM and RST0 to RST7 stand alone.
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
FILL = 0xFF


def read_jpeg(file: BinaryIO) -> Texts:
    """PictureDamaged for a file that ends before its pixels begin."""
    texts, exif = Texts(), b""
    take(file, 2)
    for _ in range(MOST_PARTS):
        marker = _marker(file)
        if marker in LAST:
            texts.keep(A1111_CHUNK, user_comment(exif))
            return texts
        if marker in WITHOUT_LENGTH:
            continue
        if marker == FILL:
            # Any number of the same may stand before a marker's own byte.
            file.seek(-1, os.SEEK_CUR)
            continue
        body = _segment(file, marker)
        # The first counts.
        exif = exif or body
    raise PictureDamaged


def _marker(file: BinaryIO) -> int:
    start, marker = take(file, 2)
    if start != FILL:
        raise PictureDamaged
    return marker


def _segment(file: BinaryIO, marker: int) -> bytes:
    """What stands in it, where it may hold EXIF; else nothing."""
    length = int.from_bytes(take(file, 2), "big") - 2
    if length < 0:
        raise PictureDamaged
    if marker != APP1:
        skip(file, length)
        return b""
    body = take(file, length)
    return body if body.startswith(MARK) else b""
