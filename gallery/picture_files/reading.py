"""Read back, out of a picture file that a stranger may have made, how it was made.

Only headers and texts are looked at; no pixel is decoded. What comes out is what the
file says: whether a request could say so too is for others to check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Literal

from gallery.metadata import A1111_CHUNK, OWN_CHUNK, VERSION
from gallery.picture_files import jpeg, png
from gallery.picture_files.a1111 import read_a1111_text
from gallery.picture_files.errors import (
    NoPictureSettings,
    PictureOfOtherVersion,
    PictureUnreadable,
)
from gallery.picture_files.jpeg import read_jpeg
from gallery.picture_files.parts import Texts, size_of
from gallery.picture_files.png import read_png
from gallery.picture_files.webp import is_webp, read_webp
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.core.form_files import FileTooLarge

Dialect = Literal["pingvas", "a1111"]
# What our own record says besides: notes about the making, nothing to ask for.
_BESIDE = {"version", "record", "notes"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """values: by the names of a request's fields, and of any type.

    unknown: names of what is not understood.
    """

    dialect: Dialect
    values: dict[str, object]
    unknown: tuple[str, ...] = ()


def read_picture(file: BinaryIO) -> Said:
    """What our own chunk says, else what A1111's text says.

    FileTooLarge, PictureUnreadable, PictureDamaged, NoPictureSettings,
    PictureOfOtherVersion.
    """
    if size_of(file) > LARGEST_PICTURE:
        raise FileTooLarge(most_bytes=LARGEST_PICTURE)
    texts = _reader(file)(file).found
    own = _own_record(texts.get(OWN_CHUNK, ""))
    if own is not None and _is_known(own):
        return _said(own)
    found = read_a1111_text(_mended(texts.get(A1111_CHUNK, "")))
    if found is not None:
        return Said(dialect="a1111", values=found.values, unknown=found.unknown)
    raise NoPictureSettings if own is None else PictureOfOtherVersion


def _reader(file: BinaryIO) -> Callable[[BinaryIO], Texts]:
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    if start.startswith(png.SIGNATURE):
        return read_png
    if start.startswith(jpeg.SIGNATURE):
        return read_jpeg
    if is_webp(start):
        return read_webp
    raise PictureUnreadable


def _own_record(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_record = isinstance(found, dict) and isinstance(found.get("prompt"), str)
    return found if is_record else None


def _is_known(record: dict[str, object]) -> bool:
    """Whether we still know what its version means, or it names none."""
    version = record.get("version", VERSION)
    return type(version) is int and 1 <= version <= VERSION


def _said(record: dict[str, object]) -> Said:
    values = {name: value for name, value in record.items() if name not in _BESIDE}
    return Said(dialect="pingvas", values=values)


def _mended(text: str) -> str:
    """PNG's plain texts are Latin-1, but some write UTF-8 there."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
