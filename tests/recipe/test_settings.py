"""What a setting may be, and how what it may not be is told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pingvas.recipe.advanced import modules_of, problems_of
from pingvas.recipe.problems import Problem
from pingvas.recipe.recipe import Recipe, sift
from pingvas.recipe.settings import LARGEST_SEED, SETTINGS

NAN = float("nan")
ID = "0123abcd-0123-0123-0123-0123456789ab"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("steps", 1, True),
        ("steps", 150, True),
        ("steps", 0, False),
        ("steps", 151, False),
        ("steps", True, False),
        ("steps", 20.0, False),
        ("steps", None, False),
        ("width", 64, True),
        ("width", 100, False),
        ("cfg_scale", None, True),
        ("cfg_scale", Decimal("7.5"), True),
        ("cfg_scale", NAN, False),
        ("cfg_scale", "7", False),
        ("prompt", "", False),
        ("prompt", "x" * 4_001, False),
        ("negative_prompt", "", True),
    ],
)
def test_a_setting_says_what_it_may_be(name, value, allowed):
    assert SETTINGS[name].allows(value) is allowed


def problems(**over):
    values = {"model": "starter", "prompt": "a star", "width": 64, "height": 64}
    return Recipe(**values | over).problems(base="flux", longest_side=1024)


@pytest.mark.parametrize(
    ("over", "name", "code"),
    [
        ({"prompt": "  "}, "prompt", "prompt_needed"),
        ({"prompt": "a\0b"}, "prompt", "not_storable"),
        ({"negative_prompt": "\ud800"}, "negative_prompt", "not_storable"),
        ({"negative_prompt": "x" * 4_001}, "negative_prompt", "too_long"),
        ({"width": 60}, "width", "off_grid"),
        ({"width": 32}, "width", "out_of_range"),
        ({"height": 1032}, "height", "side_over"),
        ({"steps": 151}, "steps", "out_of_range"),
        ({"cfg_scale": 0.5}, "cfg_scale", "out_of_range"),
        ({"sampler": "euler_a"}, "sampler", "unknown_sampler"),
        ({"seeds": ()}, "seeds", "wrong_count"),
        ({"seeds": (0,) * 9}, "seeds", "wrong_count"),
        ({"seeds": (LARGEST_SEED + 1,)}, "seeds", "out_of_range"),
        ({"seeds": (-2,)}, "seeds", "out_of_range"),
    ],
)
def test_every_problem_is_told_at_its_field(over, name, code):
    assert {key: one.code for key, one in problems(**over).items()} == {name: code}


@pytest.mark.parametrize(
    ("advanced", "path", "problem"),
    [
        ({}, "version", Problem("required")),
        (
            {"version": 2},
            "version",
            Problem("unknown_choice", {"names": "1"}),
        ),
        ({"version": 1, "magic": 1}, "magic", Problem("unknown_setting")),
        (
            {"version": 1, "clip_skip": 9},
            "clip_skip",
            Problem("out_of_range", {"low": 1, "high": 4}),
        ),
        (
            {"version": 1, "loras": [{"model": "x", "weight": 3}]},
            "loras.0.weight",
            Problem("out_of_range", {"low": -2, "high": 2}),
        ),
        (
            {"version": 1, "embeddings": ["x"] * 11},
            "embeddings",
            Problem("wrong_count", {"low": 1, "high": 10}),
        ),
        ({"version": 1, "vae": "x\0"}, "vae", Problem("unreadable")),
        ({"version": 1, "init": {}}, "init.image", Problem("required")),
        ({"version": 1, "draft_of": "7"}, "draft_of", Problem("unreadable")),
        (
            {"version": 1, "seamless": "z"},
            "seamless",
            Problem("unknown_choice", {"names": "none, x, y, both"}),
        ),
    ],
)
def test_a_problem_of_the_advanced_settings_has_the_path_of_its_place(
    advanced, path, problem
):
    assert problems_of(advanced) == {path: problem}
    assert list(problems(advanced_params=advanced)) == [f"advanced_params.{path}"]


@pytest.mark.parametrize("advanced", [[], "x", 7, True])
def test_advanced_settings_are_an_object(advanced):
    assert problems_of(advanced) == {"": Problem("unreadable")}
    assert list(problems(advanced_params=advanced)) == ["advanced_params"]


def deep(levels):
    found = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    "advanced",
    [
        {"version": 1, "loras": [{}] * 40_000},
        {"version": 1, **{str(number): 1 for number in range(10_000)}},
        {"version": 1, "init": deep(900)},
        {"version": 1, "init": {"image": ID, "strength": NAN}},
    ],
    ids=["long", "wide", "deep", "no number"],
)
def test_what_is_far_too_much_is_refused_as_a_whole(advanced):
    assert problems_of(advanced) == {"": Problem("unreadable")}
    assert list(problems(advanced_params=advanced)) == ["advanced_params"]


@pytest.mark.parametrize("id_", [f"{ID}\n", f" {ID}", ID[1:]])
def test_an_id_is_nothing_but_an_id(id_):
    assert list(problems_of({"version": 1, "init": {"image": id_}})) == ["init.image"]


def test_a_key_that_cannot_be_said_is_said_otherwise():
    found = problems_of({"version": 1, "\ud800": 1})
    assert found == {"?": Problem("unknown_setting")}


def test_the_modules_are_the_advanced_settings_that_are_used():
    assert modules_of(None) == modules_of({"version": 1}) == ()
    assert modules_of({"version": 1, "vae": "x", "loras": []}) == ("loras", "vae")


def test_of_a_strangers_settings_only_what_a_request_may_have_is_taken():
    found = {
        "prompt": "a star",
        "width": 100,
        "height": 64,
        "steps": 151,
        "cfg_scale": None,
        "sampler": "x\ud800",
        "seed": "7",
        "model": None,
        "advanced_params": {"version": 1, "loras": "many"},
        "colour": "red",
    }
    good, refused = sift(found)
    assert good == {"prompt": "a star", "height": 64, "cfg_scale": None}
    assert set(refused) == {"width", "steps", "sampler", "seed", "advanced_params"}
