"""The comment in JPEG and WebP files."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image as PillowImage

from gallery.picture_files.errors import (
    NoPictureSettings,
    PictureDamaged,
    PictureUnreadable,
)
from gallery.picture_files.exif import user_comment
from gallery.picture_files.parts import LONGEST_TEXT, MOST_PARTS
from gallery.picture_files.reading import read_picture
from tests.gallery.picture_files import (
    USER_COMMENT,
    exif,
    image_bytes,
    with_comment,
)

TEXT = "별 하나, café\nNegative prompt: 흐림\nSteps: 20, Sampler: Euler, Seed: 7"
ASCII_TEXT = "a star\nSteps: 20, Sampler: Euler, Seed: 7"


def comments(text):
    """As A1111 writes it, as piexif does, and as others do."""
    return {
        "unicode, big end first": b"UNICODE\0" + text.encode("utf-16-be"),
        "unicode, little end first": b"UNICODE\0" + text.encode("utf-16-le"),
        "unicode with a mark": b"UNICODE\0" + text.encode("utf-16"),
        "unicode that is utf-8": b"UNICODE\0" + text.encode(),
        "without a name": b"\0" * 8 + text.encode(),
        "ascii that is utf-8": b"ASCII\0\0\0" + text.encode() + b"\0\0",
    }


def read(content):
    return read_picture(io.BytesIO(content))


@pytest.mark.parametrize("kind", comments(""))
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_comment_is_read_in_every_encoding_and_order(form, order, kind):
    said = read(with_comment(form, comments(TEXT)[kind], order))
    assert said.dialect == "a1111"
    assert said.values["prompt"] == "별 하나, café"
    assert said.values["negative_prompt"] == "흐림"
    assert said.values["seed"] == 7


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_comment_that_pillow_wrote_is_read(form):
    made = PillowImage.Exif()
    made[0x010F] = "a camera"
    made.get_ifd(0x8769)[USER_COMMENT] = b"ASCII\0\0\0" + ASCII_TEXT.encode()
    assert read(image_bytes(form, exif=made)).values["prompt"] == "a star"


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("text", ["Shot at dusk", "Make: a, Lens: b, Time: 1/100", ""])
def test_a_comment_of_a_camera_is_no_settings(form, text):
    with pytest.raises(NoPictureSettings):
        read(with_comment(form, b"ASCII\0\0\0" + text.encode()))


def test_of_several_comments_the_first_counts():
    first = with_comment("JPEG", b"ASCII\0\0\0" + ASCII_TEXT.encode())
    second = b"Exif\0\0" + exif(b"ASCII\0\0\0" + b"Steps: 1, Seed: 1, Size: 8x8")
    segment = b"\xff\xe1" + struct.pack(">H", len(second) + 2) + second
    place = first.index(b"\xff\xdb")
    assert read(first[:place] + segment + first[place:]).values["seed"] == 7


def test_a_marker_may_have_bytes_before_it():
    content = with_comment("JPEG", b"ASCII\0\0\0" + ASCII_TEXT.encode())
    place = content.index(b"\xff\xe1")
    assert read(content[:place] + b"\xff" * 9 + content[place:]).values["seed"] == 7


def test_exif_that_points_anywhere_says_nothing():
    sound = exif(b"ASCII\0\0\0" + ASCII_TEXT.encode())
    assert user_comment(sound).startswith("a star")
    for place in range(min(len(sound), 60)):
        for value in (0, 0x7F, 0xFF):
            broken = bytearray(sound)
            broken[place] = value
            user_comment(bytes(broken))
    for length in range(len(sound)):
        assert user_comment(sound[:length]) is None
    # A list that lists itself is read once.
    assert user_comment(sound[:18] + struct.pack("<I", 8) + sound[22:]) is None


def test_a_comment_longer_than_any_text_is_not_read():
    text = b"ASCII\0\0\0" + b"x" * LONGEST_TEXT + ASCII_TEXT.encode()
    with pytest.raises(NoPictureSettings):
        read(with_comment("WEBP", text))


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_file_that_ends_before_its_pixels_is_damaged(form):
    content = with_comment(form, b"ASCII\0\0\0" + ASCII_TEXT.encode())
    pixels = content.index(b"\xff\xda") if form == "JPEG" else len(content)
    for length in range(12, pixels, 5):
        with pytest.raises(PictureDamaged):
            read(content[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff" + b"\xff" * (MOST_PARTS + 5),
        b"\xff\xd8" + (b"\xff" * 999 + b"\xe0\x00\x02") * (MOST_PARTS // 999 + 1),
        b"\xff\xd8" + b"\xff\x01" * (MOST_PARTS + 5),
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * (MOST_PARTS + 5),
        b"\xff\xd8\xff\xe1\x00\x00",
        b"\xff\xd8\xff\xe0\x00\x02junk",
        b"RIFF\xff\xff\xff\xffWEBP",
        b"RIFF\x0c\0\0\0WEBPVP8 \xff\xff\xff\xff",
        b"RIFF"
        + struct.pack("<I", 4 + 8 * (MOST_PARTS + 5))
        + b"WEBP"
        + b"ANMF\0\0\0\0" * (MOST_PARTS + 5),
    ],
    ids=range(9),
)
def test_a_file_that_lies_about_its_parts_is_damaged(content):
    with pytest.raises(PictureDamaged):
        read(content)


@pytest.mark.parametrize("start", [b"", b"\xff\xd8", b"RIFF\0\0\0\0WAVE", b"GIF89a"])
def test_what_begins_as_nothing_known_is_unreadable(start):
    with pytest.raises(PictureUnreadable):
        read(start + b"\0" * 20)
