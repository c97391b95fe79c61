"""Make a picture of ours out of a file that a stranger sent.

Size and kind are read from the head, before a pixel is decoded. What comes out is made
anew: upright, in sRGB, without anything that the file said besides its pixels, and
without colours that cannot be seen.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from PIL import Image as PillowImage
from PIL import ImageCms, UnidentifiedImageError

from gallery.picture_files.jpeg_scans import count_scans
from gallery.storage import EncodedPicture, encode_thumbnail
from pingvas.core.errors import PingvasError, ServiceUnavailable
from pingvas.core.turns import Turns

MOST_PIXELS = 40_000_000
# Each scan of a progressive JPEG takes as long as the whole picture; encoders make ten,
# an attacker a million of a few bytes.
MOST_SCANS = 32
SECONDS_TO_WAIT = 10.0
# What many phones make: a JPEG with a second one, for its depth, behind it.
_STILL = "MPO"
_JPEGS = ("JPEG", _STILL)
_PNG = b"\x89PNG"
# The chunk of a WebP without loss.
_LOSSLESS = b"VP8L"
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_270,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_90,
}
# Pillow's parsers meet a broken file with whatever went wrong inside of them.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    EOFError,
    struct.error,
)
_TOO_LARGE = (
    PillowImage.DecompressionBombError,
    PillowImage.DecompressionBombWarning,
)


class UploadTooManyPixels(PingvasError):
    code = "upload_too_many_pixels"
    message = _("A picture may have at most 40 megapixels.")


class UploadNotAPicture(PingvasError):
    """By its content, whatever its name or its form says."""

    code = "upload_not_a_picture"
    message = _("Only PNG, JPEG and WebP pictures can be uploaded.")


class UploadAnimated(PingvasError):
    code = "upload_animated"
    message = _("Moving pictures cannot be uploaded.")


class UploadBroken(PingvasError):
    code = "upload_broken"
    message = _("This picture is damaged or not complete.")


class UploadsBusy(ServiceUnavailable):
    """So many pictures are being read that this one was not looked at."""

    code = "uploads_busy"
    message = _("Many pictures are being uploaded right now. Try again in a while.")


@cache
def turns() -> Turns:
    """This process's own: at most a quarter of its threads is busy with uploads."""
    running = settings.UPLOADS_AT_ONCE
    waiting = max(settings.WEB_THREADS // 4 - running, 0)
    return Turns(running, waiting, busy=UploadsBusy, seconds=SECONDS_TO_WAIT)


def prepare_upload(content: bytes) -> EncodedPicture:
    """The picture in `content`, as it is to be stored.

    Raises UploadNotAPicture, UploadTooManyPixels, UploadAnimated, UploadBroken, and
    UploadsBusy. Takes seconds: never within a transaction.
    """
    with turns().turn():
        with _broken_is_refused():
            # None is held any longer than the next takes: 160 MB each, of the largest.
            picture = _plain(_upright(_opened(content)))
        has_losses = not content.startswith(_PNG) and _LOSSLESS not in content
        return _encoded(picture, has_losses=has_losses)


@contextmanager
def _broken_is_refused() -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError:
        raise UploadNotAPicture from None
    except _TOO_LARGE:
        raise UploadTooManyPixels from None
    except _BROKEN as error:
        raise UploadBroken from error


def _opened(content: bytes) -> PillowImage.Image:
    """The file with its head read, and found to be one that may be decoded."""
    file = PillowImage.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP"))
    if file.width * file.height > MOST_PIXELS:
        raise UploadTooManyPixels
    if getattr(file, "is_animated", False) and file.format != _STILL:
        raise UploadAnimated
    if file.format in _JPEGS and count_scans(content) > MOST_SCANS:
        raise UploadBroken
    return file


def _upright(file: PillowImage.Image) -> PillowImage.Image:
    """Decoded, and turned as the file says that it is to be seen."""
    file.load()
    held: Any = None
    # What the file says besides may be nonsense without its pixels being so.
    with suppress(*_BROKEN):
        held = file.getexif().get(_ORIENTATION)
    turn = _UPRIGHT.get(held)
    return file if turn is None else file.transpose(turn)


def _plain(picture: PillowImage.Image) -> PillowImage.Image:
    """8 bits of RGB, or of RGBA where something can be seen through."""
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I"):
        picture, profile = _eight_bits(picture), None
    if not picture.has_transparency_data:
        has_palette = picture.mode == "P"
        return _in_srgb(picture.convert("RGB") if has_palette else picture, profile)
    if picture.mode != "RGBA":
        picture = picture.convert("RGBA")
    alpha = picture.getchannel("A")
    picture = picture.convert("RGB")
    picture = _in_srgb(picture, profile)
    if alpha.getextrema() != (255, 255):
        # Colour that nobody sees may be what somebody believes to have cut out.
        picture.paste((0, 0, 0), mask=alpha.point([255] + [0] * 255))
        picture.putalpha(alpha)
    return picture


def _eight_bits(picture: PillowImage.Image) -> PillowImage.Image:
    """Of 16 bits of grey; `convert` alone would make all but the darkest white."""
    wide = picture.convert("I")
    # The grey that is not to be seen, if one is named, has other values now.
    wide.info.clear()
    return wide.point(lambda grey: grey * (1 / 257) + 0.5).convert("L")


def _in_srgb(picture: PillowImage.Image, profile: bytes | None) -> PillowImage.Image:
    """RGB, by the picture's own profile where it has one that suits it."""
    if profile:
        with suppress(ImageCms.PyCMSError, *_BROKEN):
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(
                picture, own, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if made is not None:
                return made
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _encoded(picture: PillowImage.Image, *, has_losses: bool) -> EncodedPicture:
    """As PNG; as JPEG, a tenth of it, what was made with losses and hides nothing.

    Never as WebP, which has no room for the largest pictures with much detail.
    """
    # Pillow would write what is kept here into the new file, too.
    picture.info = {}
    master = io.BytesIO()
    as_jpeg = has_losses and picture.mode == "RGB"
    if as_jpeg:
        picture.save(master, "JPEG", quality=95, subsampling="4:4:4")
    else:
        # Hardly larger than at the usual level, which takes several times as long.
        picture.save(master, "PNG", compress_level=3)
    return EncodedPicture(
        master=master.getvalue(),
        thumbnail=encode_thumbnail(picture),
        width=picture.width,
        height=picture.height,
        format="jpg" if as_jpeg else "png",
    )
