"""Read the settings back out of a picture file that a stranger may have made.

Only headers and text chunks are looked at; no pixel is decoded. What comes out is
checked value by value, so that it may fill a form.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from PIL import Image as PillowImage

from gallery.metadata import A1111_CHUNK, OWN_CHUNK, read_a1111_parameters
from pingvas.core.errors import PingvasError

FORMATS = ("PNG", "WEBP", "JPEG")
LARGEST_FILE = 32 * 1024 * 1024
MOST_PIXELS = 64_000_000
LONGEST_CHUNK = 128 * 1024
LONGEST_PROMPT = 4_000
LARGEST_SEED = 2**32 - 1


class PictureUnreadable(PingvasError):
    """No PNG, WebP or JPEG, or too large a one."""

    code = "picture_unreadable"
    message = _("This is not a picture that can be read.")


class NoPictureSettings(PingvasError):
    """A picture, but it does not say how it was made."""

    code = "no_picture_settings"
    status = 404
    message = _("This picture does not say how it was made.")


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    """What a picture says made it; None where it does not say, or says nonsense.

    width, height: pixels. cfg_scale: 1 to 20. seed: 0 to 2**32 - 1.
    """

    prompt: str
    negative_prompt: str = ""
    model: str | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler: str | None = None
    seed: int | None = None


def read_picture_settings(content: bytes) -> PictureSettings:
    """The settings in our own chunk, else in A1111's.

    PictureUnreadable, NoPictureSettings.
    """
    chunks = _text_chunks(content)
    found = _own_record(chunks.get(OWN_CHUNK))
    if found is None and A1111_CHUNK in chunks:
        found = read_a1111_parameters(chunks[A1111_CHUNK])
    if found is None or not isinstance(found.get("prompt"), str):
        raise NoPictureSettings
    return _checked(found)


def _text_chunks(content: bytes) -> dict[str, str]:
    """Text chunks of a sound size that stand before the pixels."""
    if len(content) > LARGEST_FILE:
        raise PictureUnreadable
    try:
        # Opening parses the header alone, and refuses decompression bombs.
        with PillowImage.open(io.BytesIO(content), formats=FORMATS) as picture:
            size, info = picture.size, dict(picture.info)
    # Pillow's parsers meet a broken file with whatever went wrong inside them.
    except (
        OSError,
        SyntaxError,
        ValueError,
        ArithmeticError,
        LookupError,
        TypeError,
        PillowImage.DecompressionBombError,
        PillowImage.DecompressionBombWarning,
    ) as error:
        raise PictureUnreadable from error
    if size[0] * size[1] > MOST_PIXELS:
        raise PictureUnreadable
    return {
        name: str(text)
        for name, text in info.items()
        if isinstance(name, str)
        and isinstance(text, str)
        and len(text) <= LONGEST_CHUNK
    }


def _own_record(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _checked(found: dict[str, Any]) -> PictureSettings:
    return PictureSettings(
        prompt=_words(found["prompt"], LONGEST_PROMPT) or "",
        negative_prompt=_words(found.get("negative_prompt"), LONGEST_PROMPT) or "",
        model=_words(found.get("model"), 200),
        width=_whole(found.get("width"), 1, 16_384),
        height=_whole(found.get("height"), 1, 16_384),
        steps=_whole(found.get("steps"), 1, 1_000),
        cfg_scale=_number(found.get("cfg_scale"), 1, 20),
        sampler=_words(found.get("sampler"), 50),
        seed=_whole(found.get("seed"), 0, LARGEST_SEED),
    )


def _words(value: object, longest: int) -> str | None:
    # NUL cannot be stored, and lone surrogates cannot be sent.
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return None
    return value if value.isascii() or _encodes(value) else None


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(value: object, least: int, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def _number(value: object, least: float, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Not a number is neither above nor below anything.
    return float(value) if least <= value <= most else None
