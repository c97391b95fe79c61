"""Picture files as people bring them, and as somebody might write them by hand."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

EXIF_LIST, USER_COMMENT = 0x8769, 0x9286
UNDEFINED, LONG = 7, 4


def image_bytes(form, size=(8, 8), **options):
    out = io.BytesIO()
    PillowImage.new("RGB", size).save(out, form, **options)
    return out.getvalue()


def png(**chunks):
    """A PNG with these text chunks."""
    info = PngInfo()
    for name, text in chunks.items():
        info.add_text(name, text)
    return image_bytes("PNG", pnginfo=info)


def chunk(kind, body):
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def crafted(*chunks, size=(8, 8), after=()):
    """A PNG with these chunks before and after its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 200))
    parts = [header, *chunks, pixels, *after, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def exif(comment, order="<"):
    """EXIF with a UserComment, as a TIFF file in either order of bytes."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    outer, inner = 8, 8 + 2 + 12 + 4
    place = inner + 2 + 12 + 4

    def entries(tag, kind, count, value):
        return struct.pack(f"{order}HHHIII", 1, tag, kind, count, value, 0)

    return (
        start
        + struct.pack(f"{order}I", outer)
        + entries(EXIF_LIST, LONG, 1, inner)
        + entries(USER_COMMENT, UNDEFINED, len(comment), place)
        + comment
    )


def with_comment(form, comment, order="<"):
    """A JPEG or a WebP with this UserComment."""
    return image_bytes(form, exif=b"Exif\0\0" + exif(comment, order))
