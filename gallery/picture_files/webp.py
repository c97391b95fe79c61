"""The comment in the EXIF chunk of a WebP.

https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from gallery.metadata import A1111_CHUNK
from gallery.picture_files.errors import PictureDamaged
from gallery.picture_files.exif import LARGEST_EXIF, user_comment
from gallery.picture_files.parts import MOST_PARTS, Texts, size_of, take

HEAD = struct.Struct("<4sI4s")
CHUNK = struct.Struct("<4sI")


def is_webp(start: bytes) -> bool:
    return start[:4] == b"RIFF" and start[8:12] == b"WEBP"


def read_webp(file: BinaryIO) -> Texts:
    """PictureDamaged for a file that is shorter than it says."""
    texts, exif = Texts(), b""
    _, length, _ = HEAD.unpack(take(file, HEAD.size))
    end = length + 8
    if end > size_of(file):
        raise PictureDamaged
    for _ in range(MOST_PARTS):
        if file.tell() + CHUNK.size > end:
            texts.keep(A1111_CHUNK, user_comment(exif))
            return texts
        content = _chunk(file, end)
        # The first counts.
        exif = exif or content
    raise PictureDamaged


def _chunk(file: BinaryIO, end: int) -> bytes:
    """What stands in it, where it is EXIF; else nothing."""
    kind, size = CHUNK.unpack(take(file, CHUNK.size))
    start = file.tell()
    if start + size > end:
        raise PictureDamaged
    is_exif = kind == b"EXIF" and size <= LARGEST_EXIF
    content = take(file, size) if is_exif else b""
    # Chunks begin at even places.
    file.seek(start + size + size % 2)
    return content
