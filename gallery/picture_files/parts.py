"""Steps through a stranger's file: few, and never past its end."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import BinaryIO

from gallery.picture_files.errors import PictureDamaged

# Bytes of a text as it lies in the file, and characters of all texts that are kept.
LONGEST_TEXT = 256 * 1024
# A picture of 20 MB has 2,500 where each holds the usual 8 kB.
MOST_PARTS = 20_000
# Of names in the file, which are shown: characters, and how many.
LONGEST_NAME = 50
MOST_NAMES = 50


@dataclass
class Texts:
    """By the name of our own chunk or of A1111's; the first of a name counts."""

    found: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, text: str | None) -> None:
        """Of what does not fit beside the others, nothing is kept."""
        length = sum(map(len, self.found.values()))
        if text is not None and length + len(text) <= LONGEST_TEXT:
            self.found.setdefault(name, text)


def take(file: BinaryIO, count: int) -> bytes:
    """So many bytes from here; PictureDamaged where the file ends before."""
    content = file.read(count)
    if len(content) < count:
        raise PictureDamaged
    return content


def skip(file: BinaryIO, count: int) -> None:
    """Past so many bytes; the file must reach as far."""
    here, end = file.tell(), size_of(file)
    if here + count > end:
        raise PictureDamaged
    file.seek(here + count)


def size_of(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size
