"""Files that strangers send: what becomes of them, and what is refused."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageFile, ImageOps

from gallery import upload_decoding
from gallery.picture_files.jpeg_scans import count_scans
from gallery.picture_files.parts import MOST_PARTS
from gallery.upload_decoding import (
    UploadAnimated,
    UploadBroken,
    UploadNotAPicture,
    UploadsBusy,
    UploadTooManyPixels,
    prepare_upload,
)
from pingvas.core.turns import Turns
from tests.gallery import files
from tests.gallery.files import SECRET, SIDE, opened, photo, saved

KINDS = ("PNG", "JPEG", "WEBP")
FORMATS = {"png": "PNG", "jpg": "JPEG"}
JPEG = saved(photo(size=(400, 300)), "JPEG")
TALKATIVE = {kind: files.talkative(kind) for kind in KINDS}
REFUSED = {
    "a GIF that says it is a PNG": (saved(photo(), "GIF"), UploadNotAPicture),
    "a TIFF": (saved(photo(), "TIFF"), UploadNotAPicture),
    "nothing": (b"", UploadNotAPicture),
    "a page": (b"<html><script>", UploadNotAPicture),
    "half a JPEG": (JPEG[: len(JPEG) // 2], UploadBroken),
    "half a PNG": (saved(photo(size=(400, 300)))[:5000], UploadBroken),
    "half a WebP": (saved(photo(size=(400, 300)), "WEBP")[:900], UploadBroken),
    "an animated WebP": (files.moving("WEBP", duration=40), UploadAnimated),
    "an animated PNG": (files.moving("PNG"), UploadAnimated),
    "a head without a body": (saved(photo())[:60], UploadBroken),
}


def decoded(content):
    return opened(prepare_upload(content).master)


@pytest.mark.parametrize(("content", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_sound_picture_is_refused_by_name(content, error):
    with pytest.raises(error):
        prepare_upload(content)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (files.huge_png(), UploadTooManyPixels),
        (saved(PillowImage.new("1", (8_000, 5_001))), UploadTooManyPixels),
        (files.many_scans(), UploadBroken),
        (files.moving("WEBP", duration=40), UploadAnimated),
    ],
)
def test_what_would_take_too_much_is_refused_before_a_pixel_is_decoded(
    content, error, monkeypatch
):
    def decode(*_):
        raise AssertionError("decoded")

    assert len(content) < 20_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    with pytest.raises(error):
        prepare_upload(content)


@pytest.mark.parametrize(
    ("content", "format", "most"),
    [
        (saved(photo()), "png", 0),
        (saved(photo(), "JPEG"), "jpg", 5),
        (saved(photo(), "WEBP"), "jpg", 5),
        (saved(photo(), "WEBP", lossless=True), "png", 0),
        (saved(files.cut_out(), "WEBP"), "png", 0),
    ],
)
def test_a_picture_looks_as_it_did(content, format, most):
    before, upload = opened(content), prepare_upload(content)
    after = opened(upload.master)
    assert (upload.format, after.format) == (format, FORMATS[format])
    assert after.size == (upload.width, upload.height) == before.size
    shown = (SIDE // 2 + 2, 0, SIDE, 30)
    assert distance(before.crop(shown), after.crop(shown)) <= most
    assert opened(upload.thumbnail).format == "WEBP"
    # Made by the same programs, the same bytes: equal uploads are found by them.
    assert prepare_upload(content).sha256 == upload.sha256


def distance(one, other):
    """The largest difference of two pictures' pixels, but for a few."""
    pixels = [np.asarray(each.convert("RGB"), dtype=int) for each in (one, other)]
    return np.percentile(abs(pixels[0] - pixels[1]), 99)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_the_file_said_besides_is_kept(kind):
    content = files.talkative(kind)
    assert SECRET.encode() in content
    upload = prepare_upload(content)
    for made in (upload.master, upload.thumbnail):
        assert SECRET.encode() not in made
        left = {name for name in opened(made).info if name not in {"loop", "duration"}}
        assert left <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"} | {
            "background",
            "timestamp",
        }


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_whichever_way_the_camera_was_held(orientation):
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    content = saved(photo(), exif=exif)
    upright = ImageOps.exif_transpose(PillowImage.open(io.BytesIO(content)))
    after = decoded(content)
    assert after.size == upright.size
    assert distance(after, upright) == 0


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_left_alone(orientation):
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    assert distance(decoded(saved(photo(), exif=exif)), photo()) == 0


@pytest.mark.parametrize(
    "options", [{"kind": "PNG"}, {"kind": "WEBP", "lossless": True, "exact": True}]
)
def test_colour_that_cannot_be_seen_is_gone(options):
    content = saved(files.cut_out(), **options)
    assert opened(content).getpixel((0, 0)) == (255, 0, 0, 0)
    after = decoded(content)
    assert after.getpixel((0, 0)) == (0, 0, 0, 0)
    alpha = np.asarray(after)[..., 3]
    assert (alpha == np.asarray(files.cut_out())[..., 3]).all()
    shown = (SIDE // 2 + 2, 0, SIDE, 30)
    assert distance(after.crop(shown), files.cut_out().crop(shown)) < 6


def test_alpha_that_hides_nothing_is_dropped():
    assert decoded(saved(photo("RGBA"))).mode == "RGB"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_every_mode_of_png_is_rgb_or_rgba_in_the_end(mode):
    after = decoded(saved(photo(mode)))
    assert after.mode == "RGB"
    assert distance(after, photo(mode)) == 0


def test_a_colour_that_a_palette_hides_is_not_seen():
    picture = photo().quantize(16)
    hidden = picture.getpixel((0, 0))
    after = decoded(saved(picture, transparency=hidden))
    assert after.getpixel((0, 0)) == (0, 0, 0, 0)


def test_grey_of_sixteen_bits_keeps_its_shades():
    pixels = np.asarray(decoded(files.deep_grey()).convert("L"))
    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)
    assert len(np.unique(pixels)) == 256


def test_grey_of_sixteen_bits_that_hides_a_shade_is_a_picture():
    grey = opened(files.deep_grey())
    assert decoded(saved(grey, transparency=700)).size == grey.size


def test_colour_of_sixteen_bits_is_the_same_in_eight():
    assert decoded(files.deep_colour()).getpixel((9, 9)) == (128, 0, 0)


@pytest.mark.parametrize("colour", ["white", "black", "red"])
def test_a_picture_made_for_print_looks_the_same(colour):
    picture = PillowImage.new("RGB", (SIDE, SIDE), colour)
    after = decoded(saved(picture.convert("CMYK"), "JPEG", quality=95))
    assert after.mode == "RGB"
    assert distance(after, picture) < 6


def test_a_profile_is_applied_before_it_is_dropped():
    red = PillowImage.new("RGB", (SIDE, SIDE), (255, 0, 0))
    plain = decoded(saved(red)).getpixel((0, 0))
    swapped = decoded(saved(red, icc_profile=files.swapped_profile())).getpixel((0, 0))
    assert plain == (255, 0, 0)
    assert swapped[2] > 200 > 60 > swapped[0]
    few = saved(red.quantize(4), icc_profile=files.swapped_profile())
    assert decoded(few).getpixel((0, 0)) == swapped


@pytest.mark.parametrize("profile", [b"x", b"\0" * 200, files.swapped_profile()[:300]])
def test_a_broken_profile_is_none(profile):
    assert distance(decoded(saved(photo(), icc_profile=profile)), photo()) == 0


def test_what_phones_make_is_a_jpeg():
    content = saved(photo(), "MPO", save_all=True, append_images=[photo().rotate(180)])
    upload = prepare_upload(content)
    assert upload.format == "jpg"
    assert distance(opened(upload.master), photo()) < 6


def test_what_lies_behind_a_photo_is_not_taken_for_its_scans():
    """A phone's film of the moment, say."""
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x0c" * 5_000
    upload = prepare_upload(JPEG + film)
    assert distance(opened(upload.master), opened(JPEG)) < 6


def test_scans_are_counted_where_the_decoder_meets_them():
    progressive = saved(photo(), "JPEG", progressive=True)
    assert count_scans(JPEG) == 1
    assert count_scans(progressive) == progressive.count(b"\xff\xda") > 1
    comment = saved(photo(), "JPEG", comment=b"\xff\xda" * 100)
    assert count_scans(comment) == 1
    # What has no length hides nothing behind itself.
    for alone in (b"\xff\x02", b"\xff\xd0", b"\xff\0", b"\xff\xff"):
        hidden = JPEG[:-2] + alone + b"\xff\xda\0\2" * 40 + JPEG[-2:]
        assert count_scans(hidden) == 41


def test_a_photo_of_endless_parts_is_broken():
    parts = b"\xff\xfe\0\2" * MOST_PARTS
    with pytest.raises(UploadBroken):
        prepare_upload(JPEG[:-2] + parts + JPEG[-2:])


# Pillow warns of what it leaves out of a file; here that would be an error.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(kind=st.sampled_from(list(KINDS)), data=st.data())
def test_a_damaged_file_is_a_picture_or_refused_never_an_error(kind, data):
    content = bytearray(TALKATIVE[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    # Whatever else it raised would be an error of ours.
    with suppress(UploadBroken, UploadNotAPicture, UploadTooManyPixels, UploadAnimated):
        assert opened(prepare_upload(bytes(content)).master).size


def test_who_finds_all_turns_taken_is_told_to_come_again(monkeypatch):
    none = Turns(0, 0, busy=UploadsBusy, seconds=10)
    monkeypatch.setattr(upload_decoding, "turns", lambda: none)
    with pytest.raises(UploadsBusy):
        prepare_upload(saved(photo()))


def test_a_quarter_of_the_threads_at_most_is_busy_with_uploads(settings):
    settings.WEB_THREADS, settings.UPLOADS_AT_ONCE = 16, 2
    upload_decoding.turns.cache_clear()
    found = upload_decoding.turns()
    upload_decoding.turns.cache_clear()
    assert (found._running._value, found._here._value) == (2, 4)
