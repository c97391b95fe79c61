"""What a picture file says of itself, written and read back."""

from __future__ import annotations

import io
import json
import struct
import zlib

import pytest
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from gallery.metadata import (
    A1111_CHUNK,
    OWN_CHUNK,
    a1111_parameters,
    read_a1111_parameters,
)
from gallery.picture_files import (
    LARGEST_FILE,
    LONGEST_CHUNK,
    NoPictureSettings,
    PictureUnreadable,
    read_picture_settings,
)
from pingvas.recipe.samplers import DIFFUSION
from tests.gallery.pictures import METADATA, encoded

SETTINGS = (
    "prompt",
    "negative_prompt",
    "model",
    "width",
    "height",
    "steps",
    "cfg_scale",
    "sampler",
    "seed",
)
PROMPTS = [
    "a star",
    "작은 별이 빛나는 밤하늘, 수채화",
    "first line\nsecond line\n\nfourth",
    'she said "hello", then: left; {a|b} (c:1.3) \\ end',
    "emoji 🌟 and ideographs 星",
    "Größe: über, café",
    "steps: twelve, sampler: mine",
    "a" * 4000,
]


def png(**chunks):
    """A PNG with these text chunks."""
    info = PngInfo()
    for name, text in chunks.items():
        info.add_text(name, text)
    return image_bytes("PNG", pnginfo=info)


def image_bytes(form, size=(8, 8), **options):
    out = io.BytesIO()
    PillowImage.new("RGB", size).save(out, form, **options)
    return out.getvalue()


def expected(**over):
    return {name: (METADATA | over)[name] for name in SETTINGS}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_setting_comes_back_from_our_own_picture(prompt):
    over = {"prompt": prompt, "negative_prompt": prompt[::-1]}
    found = read_picture_settings(encoded(**over).master)
    assert vars(found) == expected(**over)


def test_guidance_that_was_not_used_comes_back_as_none():
    assert read_picture_settings(encoded(cfg_scale=None).master).cfg_scale is None


def test_the_record_names_its_version_whatever_the_metadata_says():
    with PillowImage.open(io.BytesIO(encoded(version=99).master)) as picture:
        own = json.loads(picture.info[OWN_CHUNK])
    assert own == {**METADATA, "version": 1}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_setting_comes_back_from_the_a1111_text(prompt):
    over = {"prompt": prompt, "negative_prompt": "흐림, low\nquality"}
    content = png(**{A1111_CHUNK: a1111_parameters(METADATA | over)})
    assert vars(read_picture_settings(content)) == expected(**over)


@pytest.mark.parametrize("sampler", DIFFUSION)
def test_every_sampler_has_a_name_that_a1111_knows_and_we_read_back(sampler):
    text = a1111_parameters(METADATA | {"sampler": sampler})
    assert read_a1111_parameters(text)["sampler"] == sampler
    assert f"Sampler: {sampler}" not in text


def test_the_a1111_text_is_what_its_readers_expect():
    assert a1111_parameters(METADATA | {"model": "one, two"}) == (
        '작은 별, "quoted"\nsecond line: a cat\n'
        "Negative prompt: 흐림, low quality\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, "
        'Seed: 4294967295, Size: 48x32, Model hash: ababababab, Model: "one, two", '
        "Version: Pingvas"
    )


def test_a_text_written_by_a1111_itself_is_understood():
    text = (
        "masterpiece, <lora:x:0.8>\nNegative prompt: bad hands\nworst\n"
        "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 12, Size: 512x768, "
        'Model hash: 6ce0161689, Model: v1-5, Lora hashes: "x: 1f, y: 2e", Version: 1.6'
    )
    found = read_a1111_parameters(text)
    assert found == {
        "prompt": "masterpiece, <lora:x:0.8>",
        "negative_prompt": "bad hands\nworst",
        "model": "v1-5",
        "width": 512,
        "height": 768,
        "steps": 28,
        "cfg_scale": 7.0,
        "sampler": "dpmpp_2m_karras",
        "seed": 12,
    }


def test_a_text_without_settings_is_all_prompt():
    found = read_a1111_parameters("a cat: the film, a dog")
    assert (found["prompt"], found["steps"]) == ("a cat: the film, a dog", None)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_a_picture_of_others_says_nothing(form):
    with pytest.raises(NoPictureSettings):
        read_picture_settings(image_bytes(form))


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "PDF", "ICO"])
def test_other_formats_are_never_opened(form):
    with pytest.raises(PictureUnreadable):
        read_picture_settings(image_bytes(form, size=(32, 32)))


def test_a_file_too_large_to_look_at_is_refused_unopened():
    with pytest.raises(PictureUnreadable):
        read_picture_settings(encoded().master + b"\0" * LARGEST_FILE)


def chunk(kind, body):
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def crafted(*chunks, size=(8, 8)):
    """A PNG's beginning with these chunks, as somebody might write it by hand."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 200))
    start = b"\x89PNG\r\n\x1a\n"
    return start + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 10_000), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_a_bomb_of_pixels_is_refused(size):
    with pytest.raises(PictureUnreadable):
        read_picture_settings(crafted(size=size))


def test_a_bomb_of_text_is_refused():
    bomb = OWN_CHUNK.encode() + b"\0\0" + zlib.compress(b"a" * 100_000_000)
    with pytest.raises((PictureUnreadable, NoPictureSettings)):
        read_picture_settings(crafted(chunk(b"zTXt", bomb)))


def test_a_chunk_longer_than_any_of_ours_is_not_parsed():
    record = json.dumps({**METADATA, "filler": "x" * LONGEST_CHUNK})
    with pytest.raises(NoPictureSettings):
        read_picture_settings(png(**{OWN_CHUNK: record}))


def test_chunks_after_the_pixels_cost_no_decoding():
    text = chunk(b"tEXt", OWN_CHUNK.encode() + b"\0" + json.dumps(METADATA).encode())
    content = crafted()
    with pytest.raises(NoPictureSettings):
        read_picture_settings(content[:-12] + text + content[-12:])


@pytest.mark.parametrize(
    "record",
    [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}",
        "__import__('os').system('true')",
        "[" * 100_000,
        '{"a":' * 20_000,
        '{"prompt": 5}',
        '{"prompt": ["a"]}',
        "9" * 5_000,
    ],
)
def test_a_record_that_is_none_is_no_record(record):
    with pytest.raises(NoPictureSettings):
        read_picture_settings(png(**{OWN_CHUNK: record}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("negative_prompt", 5),
        ("negative_prompt", "x" * 4001),
        ("negative_prompt", "a\0b"),
        ("negative_prompt", "\ud800"),
        ("width", -1),
        ("width", True),
        ("width", "512"),
        ("height", 10**30),
        ("steps", 1.5),
        ("steps", None),
        ("cfg_scale", float("nan")),
        ("cfg_scale", float("inf")),
        ("cfg_scale", 0.5),
        ("cfg_scale", "7"),
        ("sampler", {"a": 1}),
        ("sampler", "x" * 51),
        ("seed", 2**32),
        ("seed", -1),
        ("model", []),
    ],
)
def test_a_value_out_of_range_counts_as_not_said(name, value):
    record = json.dumps(METADATA | {name: value})
    found = read_picture_settings(png(**{OWN_CHUNK: record}))
    assert not getattr(found, name)
    assert found.prompt == METADATA["prompt"]


@pytest.mark.parametrize("step", range(0, 400, 7))
def test_a_picture_cut_anywhere_is_refused_and_nothing_else_happens(step):
    whole = encoded().master
    try:
        found = read_picture_settings(whole[: len(whole) * step // 400])
    except (PictureUnreadable, NoPictureSettings):
        return
    # The chunks stand before the pixels: they are whole where only pixels lack.
    assert vars(found) == expected()


def test_broken_bytes_are_never_more_than_refused():
    whole = bytearray(encoded().master)
    for place in range(0, min(len(whole), 900), 3):
        broken = bytearray(whole)
        broken[place] ^= 0x5A
        try:
            read_picture_settings(bytes(broken))
        except (PictureUnreadable, NoPictureSettings):
            continue
