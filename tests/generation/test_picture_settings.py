"""What a picture tells, as far as a request could ask for it."""

from __future__ import annotations

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.metadata import A1111_CHUNK, OWN_CHUNK, a1111_parameters
from gallery.picture_files.parts import LONGEST_NAME, MOST_NAMES
from generation.api.recipes import RecipeSerializer
from generation.picture_settings import read_picture_settings
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.recipe.settings import LARGEST_SEED, LONGEST_PROMPT, LONGEST_SIDE
from tests.cast import PASSWORD, make_user
from tests.gallery.picture_files import image_bytes, png, with_comment
from tests.gallery.pictures import METADATA, encoded

PATH = "/api/v1/images/settings"
SOUND = METADATA | {"width": 512, "height": 768}
ASKED = {
    "prompt": SOUND["prompt"],
    "negative_prompt": SOUND["negative_prompt"],
    "model": "starter",
    "width": 512,
    "height": 768,
    "steps": 20,
    "cfg_scale": 7.5,
    "sampler": "dpmpp_2m_karras",
    "seeds": [LARGEST_SEED],
}


def own(**over):
    return png(**{OWN_CHUNK: json.dumps(SOUND | over)})


def foreign(last, prompt="a"):
    return png(**{A1111_CHUNK: f"{prompt}\n{last}"})


def read(content):
    return read_picture_settings(io.BytesIO(content))


def test_all_that_a_picture_of_ours_tells_can_be_asked_for():
    found = read(encoded(width=512, height=768).master)
    assert (found.settings, found.left_out) == (ASKED, [])


def test_a_text_of_a1111_tells_the_same():
    found = read(png(**{A1111_CHUNK: a1111_parameters(SOUND)}))
    assert (found.dialect, found.settings, found.left_out) == ("a1111", ASKED, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", "x" * (LONGEST_PROMPT + 1)),
        ("prompt", "a\0b"),
        ("prompt", "\ud800"),
        ("negative_prompt", 5),
        ("negative_prompt", "x" * (LONGEST_PROMPT + 1)),
        ("width", -1),
        ("width", True),
        ("width", "512"),
        ("width", 513),
        ("width", 10**30),
        ("height", LONGEST_SIDE + 8),
        ("height", 56),
        ("steps", 0),
        ("steps", 151),
        ("steps", 1.5),
        ("cfg_scale", float("nan")),
        ("cfg_scale", float("inf")),
        ("cfg_scale", 10**400),
        ("cfg_scale", 0.5),
        ("cfg_scale", 20.5),
        ("cfg_scale", "7"),
        ("cfg_scale", False),
        ("sampler", {"a": 1}),
        ("sampler", "none"),
        ("seed", LARGEST_SEED + 1),
        ("seed", -1),
        ("seed", [1]),
        ("seeds", [1, 2]),
        ("model", []),
        ("model", "x" * 201),
        ("model", "\0"),
        ("flavour", "sweet"),
        ("count", 3),
    ],
)
def test_what_no_request_could_say_is_left_out_by_name(name, value):
    found = read(own(**{name: value}))
    field = "seeds" if name == "seed" else name
    assert found.left_out == [field]
    # A picture has one seed: where it tells several besides, that one is taken.
    kept = {key: value for key, value in ASKED.items() if key != field}
    assert found.settings == (ASKED if name == "seeds" else kept)


@pytest.mark.parametrize("name", ["negative_prompt", "model", "steps", "seed"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_says_nothing_is_neither_there_nor_left_out(name, value):
    found = read(own(**{name: value}))
    assert (name in found.settings, found.left_out) == (False, [])


def test_what_was_asked_for_besides_is_told_whole_or_left_out():
    advanced = {"version": 1, "clip_skip": 2}
    assert read(own(advanced_params=advanced)).settings["advanced_params"] == advanced
    for wrong in (advanced | {"clip_skip": 9}, {"clip_skip": 2}, [], "x"):
        found = read(own(advanced_params=wrong))
        assert (found.settings, found.left_out) == (ASKED, ["advanced_params"])


def test_guidance_that_was_not_used_is_told():
    assert read(own(cfg_scale=None)).settings["cfg_scale"] is None


def test_guidance_is_told_as_finely_as_it_can_be_asked_for():
    found = read(foreign("Steps: 9, CFG scale: 7.126, Seed: 1"))
    assert found.settings == {
        "prompt": "a",
        "steps": 9,
        "cfg_scale": 7.13,
        "seeds": [1],
    }


def test_of_a1111_what_has_no_field_is_named_as_it_names_it():
    found = read(
        foreign("Steps: many, Seed: -1, Size: 500x512, Clip skip: 2, Hires upscale: 2")
    )
    assert found.settings == {"prompt": "a", "height": 512}
    assert found.left_out == ["Clip skip", "Hires upscale", "width", "steps", "seeds"]


def test_names_of_strangers_are_few_and_short():
    many = {f"field {number} {'x' * 99}": 1 for number in range(99)} | {"\ud800": 1}
    names = read(own(**many)).left_out
    assert len(names) == MOST_NAMES
    assert max(map(len, names)) == LONGEST_NAME


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)


@given(st.dictionaries(st.sampled_from([*ASKED, "seed"]), VALUES))
@settings(max_examples=100, deadline=None)
def test_whatever_a_picture_tells_a_request_may_say(over):
    found = read(own(**(over | {"prompt": "a"}))).settings
    sides = {name: found.get(name, 512) for name in ("width", "height")}
    with translation.override("en"):
        asked = {"model": "starter", **found, **sides}
        recipe = RecipeSerializer(data=asked).recipe()
    assert recipe.problems(base="sd15", longest_side=LONGEST_SIDE) == {}


@pytest.fixture
def alice(db, client):
    user = make_user("alice")
    assert client.login(username=user.email, password=PASSWORD)
    return user


def file(content, name="a.png"):
    return SimpleUploadedFile(name, content)


def post(client, content, **headers):
    return client.post(PATH, {"file": file(content)}, headers=headers)


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_the_settings_of_a_file_are_answered(client, alice):
    answer = post(client, own(flavour="sweet"))
    assert answer.status_code == 200
    assert answer.json() == {
        "dialect": "pingvas",
        "settings": ASKED,
        "left_out": ["flavour"],
    }
    assert answer["Cache-Control"] == "private, no-store"


def test_what_a_picture_does_not_say_is_not_answered(client, alice):
    said = post(client, foreign("Steps: 9, Sampler: Euler, Seed: 1")).json()["settings"]
    assert said == {"prompt": "a", "steps": 9, "sampler": "euler", "seeds": [1]}


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_other_formats_are_read_too(client, alice, form):
    text = a1111_parameters(SOUND)
    content = with_comment(form, b"UNICODE\0" + text.encode("utf-16-be"))
    answer = post(client, content).json()
    assert (answer["dialect"], answer["settings"]) == ("a1111", ASKED)


def test_each_refusal_has_its_code(client, alice):
    other = own(version=99)
    for content, expected in (
        (b"", (400, "picture_unreadable")),
        (image_bytes("GIF"), (400, "picture_unreadable")),
        (own()[:-5], (400, "picture_damaged")),
        (other, (400, "picture_of_other_version")),
        (image_bytes("PNG"), (404, "no_picture_settings")),
        (own() + b"\0" * LARGEST_PICTURE, (413, "file_too_large")),
    ):
        assert refused(post(client, content)) == expected


def test_refusals_are_worded_in_both_languages(client, alice):
    for content in (b"", own()[:-5], own(version=99), image_bytes("PNG")):
        english, korean = (
            post(client, content, **{"accept-language": name}).json()["error"][
                "message"
            ]
            for name in ("en", "ko")
        )
        assert english.isascii()
        assert "그림" in korean


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, "invalid_request"),
        ({"file": "no file"}, "invalid_request"),
        ({"other": file(b"a")}, "invalid_request"),
        ({"file": file(b"a"), "other": file(b"b")}, "invalid_request"),
    ],
)
def test_a_form_without_its_one_file_is_refused(client, alice, form, code):
    assert refused(client.post(PATH, form)) == (400, code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        f"--{BOUNDARY}\r\n".encode(),
        encode_multipart(BOUNDARY, {"file": file(b"a" * 900)})[:500],
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=file; "
        f"filename*=hex''%ff\r\n\r\n\xff\r\n--{BOUNDARY}--\r\n".encode(),
    ],
    ids=range(5),
)
@pytest.mark.parametrize("kind", [MULTIPART_CONTENT, "multipart/form-data"])
def test_a_form_that_is_none_is_no_error_of_ours(client, alice, body, kind):
    assert client.generic("POST", PATH, body, kind).status_code == 400


def test_other_bodies_are_not_taken(client, alice):
    answer = client.post(PATH, {"file": "a"}, "application/json")
    assert refused(answer) == (415, "unsupported_media_type")


@pytest.mark.django_db
def test_strangers_are_refused_before_the_form_is_read(client, monkeypatch):
    monkeypatch.setattr("pingvas.core.form_files.TakeOneFile.new_file", None)
    assert refused(post(client, own())) == (401, "not_signed_in")


def test_a_session_needs_its_csrf_token(alice):
    strict = Client(enforce_csrf_checks=True)
    assert strict.login(username=alice.email, password=PASSWORD)
    assert refused(post(strict, own())) == (403, "not_allowed")
    strict.cookies["csrftoken"] = "a" * 32
    assert post(strict, own(), **{"x-csrftoken": "a" * 32}).status_code == 200


def test_the_requests_of_an_address_are_counted(client, alice, settings):
    settings.API_REQUESTS_PER_MINUTE = 2
    client.defaults["REMOTE_ADDR"] = "203.0.113.77"
    answers = [post(client, own()).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
