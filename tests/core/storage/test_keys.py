"""What is made into a key is read out of it, and nothing else is."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingvas.core.storage.keys import (
    IMAGES,
    PICTURES,
    PictureKey,
    master_key,
    picture_key,
    read_picture_key,
    thumbnail_key,
)

keys = st.builds(
    PictureKey,
    folder=st.sampled_from(PICTURES),
    user_id=st.uuids(),
    source_id=st.uuids(),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    ending=st.sampled_from(["png", "jpg", "webp"]),
)
KEY = "images/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000002"


@given(keys)
def test_a_key_says_what_it_was_made_of(parts):
    assert read_picture_key(picture_key(parts)) == parts


@given(keys)
def test_master_and_thumbnail_name_each_other(parts):
    key = picture_key(parts)
    assert thumbnail_key(key) != key
    assert master_key(thumbnail_key(key)) == key
    assert master_key(key) == key


def test_keys_stay_as_rows_have_them():
    parts = PictureKey(
        folder=IMAGES,
        user_id=UUID(int=1),
        source_id=UUID(int=2),
        sha256="ab",
        ending="png",
    )
    assert picture_key(parts) == f"{KEY}/ab.png"
    assert thumbnail_key(f"{KEY}/ab.png") == f"{KEY}/ab.thumb.webp"


@pytest.mark.parametrize(
    "key", ["", "images", "models/a/b/c.png", "images/a/b/c.png", f"{KEY}/a/b.png"]
)
def test_what_nobody_made_says_nothing(key):
    assert read_picture_key(key) is None
