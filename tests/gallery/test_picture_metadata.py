"""What a picture file says of itself, written and read back."""

from __future__ import annotations

import io
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from gallery.metadata import A1111_CHUNK, OWN_CHUNK, a1111_parameters
from gallery.picture_files.errors import (
    NoPictureSettings,
    PictureDamaged,
    PictureOfOtherVersion,
    PictureUnreadable,
)
from gallery.picture_files.parts import LONGEST_TEXT, MOST_PARTS
from gallery.picture_files.reading import read_picture
from pingvas.core.errors import PingvasError
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.core.form_files import FileTooLarge
from tests.gallery.picture_files import chunk, crafted, image_bytes, png
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


def read(content):
    return read_picture(io.BytesIO(content))


def own(record):
    return png(**{OWN_CHUNK: record})


def expected(**over):
    return {name: (METADATA | over)[name] for name in SETTINGS}


def text_chunk(kind, name, rest):
    return chunk(kind, name.encode() + b"\0" + rest)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_setting_comes_back_from_our_own_picture(prompt):
    over = {"prompt": prompt, "negative_prompt": prompt[::-1], "cfg_scale": None}
    said = read(encoded(**over).master)
    assert (said.dialect, said.values, said.unknown) == (
        "pingvas",
        expected(**over),
        (),
    )


def test_the_record_names_its_version_whatever_the_metadata_says():
    with PillowImage.open(io.BytesIO(encoded(version=99).master)) as picture:
        found = json.loads(picture.info[OWN_CHUNK])
    assert found == {**METADATA, "version": 1}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_setting_comes_back_from_the_a1111_text(prompt):
    over = {"prompt": prompt, "negative_prompt": "흐림, low\nquality"}
    said = read(png(**{A1111_CHUNK: a1111_parameters(METADATA | over)}))
    assert (said.dialect, said.values, said.unknown) == ("a1111", expected(**over), ())


def test_the_a1111_text_is_what_its_readers_expect():
    assert a1111_parameters(METADATA | {"model": "one, two"}) == (
        '작은 별, "quoted"\nsecond line: a cat\n'
        "Negative prompt: 흐림, low quality\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, "
        'Seed: 4294967295, Size: 48x32, Model hash: ababababab, Model: "one, two", '
        "Version: Pingvas"
    )


TEXT = "별, café\nSteps: 20, Sampler: Euler, Seed: 7"
PACKED = zlib.compress(TEXT.encode())


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        (b"tEXt", TEXT.encode()),
        (b"zTXt", b"\0" + PACKED),
        (b"iTXt", b"\0\0\0\0" + TEXT.encode()),
        (b"iTXt", b"\0\0ko\0words\0" + TEXT.encode()),
        (b"iTXt", b"\1\0\0\0" + PACKED),
    ],
)
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_text_is_read_from_every_kind_of_chunk_wherever_it_stands(kind, rest, where):
    text = text_chunk(kind, A1111_CHUNK, rest)
    content = crafted(text) if where == "before" else crafted(after=[text])
    assert read(content).values["prompt"] == "별, café"


def test_our_own_record_counts_before_a1111s_text():
    text = text_chunk(b"tEXt", A1111_CHUNK, TEXT.encode())
    record = text_chunk(b"tEXt", OWN_CHUNK, json.dumps(METADATA).encode())
    assert read(crafted(text, record)).values["seed"] == METADATA["seed"]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_a_picture_of_others_says_nothing(form):
    with pytest.raises(NoPictureSettings):
        read(image_bytes(form))


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "PDF", "ICO"])
def test_other_formats_are_never_opened(form):
    with pytest.raises(PictureUnreadable):
        read(image_bytes(form, size=(32, 32)))


def test_a_file_too_large_to_look_at_is_refused_unopened():
    with pytest.raises(FileTooLarge):
        read(encoded().master + b"\0" * LARGEST_PICTURE)


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_pixels_are_not_looked_at_however_many_there_are(size):
    record = text_chunk(b"tEXt", OWN_CHUNK, json.dumps(METADATA).encode())
    assert read(crafted(record, size=size)).values["seed"] == METADATA["seed"]


def bombs(count, kind):
    packed = zlib.compress(b"a" * 50_000_000)
    rest = {b"zTXt": b"\0" + packed, b"iTXt": b"\1\0\0\0" + packed}[kind]
    return [text_chunk(kind, A1111_CHUNK, rest)] * count


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_of_a_bomb_of_text_no_more_is_made_than_is_kept(monkeypatch, kind):
    made = []

    class Watched:
        def __init__(self):
            self._stream = inflater()

        def decompress(self, content, most):
            made.append(len(found := self._stream.decompress(content, most)))
            return found

    content, inflater = crafted(*bombs(50, kind)), zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(NoPictureSettings):
        read(content)
    assert made == [LONGEST_TEXT + 1]


def test_a_text_longer_than_any_of_ours_is_not_parsed():
    record = json.dumps({**METADATA, "filler": "x" * LONGEST_TEXT})
    with pytest.raises(NoPictureSettings):
        read(own(record))


def test_all_texts_together_have_a_length():
    most = "x" * (LONGEST_TEXT - 20)
    texts = {OWN_CHUNK: most, A1111_CHUNK: "a\nSteps: 1, Seed: 2, Size: 8x8"}
    with pytest.raises(NoPictureSettings):
        read(png(**texts))


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
        read(own(record))


@pytest.mark.parametrize("version", [99, 0, "1", None, True, 1.0])
def test_a_record_of_another_version_is_not_guessed_at(version):
    record = json.dumps(METADATA | {"version": version})
    with pytest.raises(PictureOfOtherVersion):
        read(own(record))
    # What stands beside it for all programs is still understood.
    texts = {OWN_CHUNK: record, A1111_CHUNK: a1111_parameters(METADATA)}
    assert read(png(**texts)).dialect == "a1111"


def test_fields_that_the_record_has_besides_are_handed_on():
    record = json.dumps(METADATA | {"version": 1, "flavour": "sweet"})
    assert read(own(record)).values == expected() | {"flavour": "sweet"}


def test_a_picture_cut_anywhere_is_damaged():
    whole = encoded().master
    for length in range(8, len(whole), 13):
        with pytest.raises(PictureDamaged):
            read(whole[:length])


def test_a_text_that_fails_its_sum_is_damaged():
    whole = encoded().master
    with pytest.raises(PictureDamaged):
        read(whole.replace("별".encode(), "달".encode()))


@pytest.mark.parametrize(
    "content",
    [
        crafted(*[chunk(b"teSt", b"")] * MOST_PARTS),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
        crafted(chunk(b"iTXt", OWN_CHUNK.encode() + b"\0")),
        crafted(chunk(b"iTXt", OWN_CHUNK.encode() + b"\0\0\0\0\0\xff")),
        crafted(chunk(b"iTXt", OWN_CHUNK.encode() + b"\0\1\0\0\0not packed")),
        crafted(chunk(b"zTXt", OWN_CHUNK.encode() + b"\0\0not packed")),
        crafted(b"\xff\xff\xff\xfftEXt"),
    ],
    ids=range(7),
)
def test_a_file_that_lies_about_its_parts_is_damaged(content):
    with pytest.raises(PictureDamaged):
        read(content)


STARTS = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBP"]


@given(st.sampled_from(STARTS), st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_never_more_than_refused(start, rest):
    try:
        read(start + rest)
    except PingvasError:
        return


@given(st.integers(0, 2_000), st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_a_wrong_byte_anywhere_is_never_more_than_refused(place, value):
    broken = bytearray(encoded().master)
    broken[place % len(broken)] = value
    try:
        read(bytes(broken))
    except PingvasError:
        return


@given(
    st.dictionaries(
        st.sampled_from(SETTINGS), st.text(max_size=50) | st.integers() | st.none()
    )
)
@settings(max_examples=50, deadline=None)
def test_whatever_is_written_is_read_back(over):
    record = METADATA | over | {"prompt": "a"}
    content = own(json.dumps(record, ensure_ascii=False))
    assert read(content).values == {name: record[name] for name in SETTINGS}
