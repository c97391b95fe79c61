"""The text of A1111, read as it reads it itself, and in one pass."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gallery.metadata import a1111_parameters
from gallery.picture_files import a1111
from gallery.picture_files.a1111 import read_a1111_text, read_pairs
from pingvas.recipe.samplers import DIFFUSION
from tests.gallery.pictures import METADATA

LAST = "Steps: 28, Sampler: Euler a, CFG scale: 7, Seed: 12, Size: 512x768"


def read(*lines):
    return read_a1111_text("\n".join(lines))


def values(*lines):
    return read(*lines).values


def prompts(*lines):
    found = values(*lines)
    return found["prompt"], found["negative_prompt"]


def test_a_text_written_by_a1111_is_understood():
    found = read(
        "masterpiece, <lora:x:0.8>",
        "Negative prompt: bad hands",
        "worst",
        "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 12, Size: 512x768, "
        "Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, "
        'Lora hashes: "x: 1f, y: 2e", Version: 1.6',
    )
    assert found.values == {
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
    assert found.unknown == ("Clip skip", "Lora hashes")


@pytest.mark.parametrize("sampler", DIFFUSION)
def test_every_sampler_has_a_name_that_a1111_knows_and_we_read_back(sampler):
    text = a1111_parameters(METADATA | {"sampler": sampler})
    found = read_a1111_text(text)
    assert (found.values["sampler"], found.unknown) == (sampler, ())
    assert f"Sampler: {sampler}" not in text


@pytest.mark.parametrize(
    ("said", "ours", "missed"),
    [
        ("DPM++ 2M Karras", "dpmpp_2m_karras", ()),
        ("DPM++ 2M, Schedule type: Karras", "dpmpp_2m_karras", ()),
        ("DPM++ 2M, Schedule type: Automatic", "dpmpp_2m", ()),
        ("DPM++ 2M SDE", "dpmpp_2m_sde", ()),
        ("Euler a", "euler_a", ()),
        ("Euler a, Schedule type: Karras", "euler_a", ("Schedule type",)),
        ("DPM++ 2M, Schedule type: Exponential", "dpmpp_2m", ("Schedule type",)),
        ("DPM++ 3M SDE Karras", None, ("Sampler",)),
        ("Restart", None, ("Sampler",)),
    ],
)
def test_samplers_are_told_by_one_name_or_by_two(said, ours, missed):
    found = read("a", f"Steps: 2, Sampler: {said}, Seed: 1")
    assert (found.values.get("sampler"), found.unknown) == (ours, missed)


def test_quoted_values_hold_commas_quotes_and_colons():
    pairs = dict(
        read_pairs(
            r'Hires prompt: "a, \"b\": c\nd", Model: "x: y, z", Seed: 5, VAE: "q'
        )
    )
    assert pairs["Hires prompt"] == 'a, "b": c\nd'
    assert (pairs["Model"], pairs["Seed"], pairs["VAE"]) == ("x: y, z", "5", '"q')


def test_a_quote_inside_a_value_is_a_letter():
    pairs = dict(read_pairs('Model: 7" disk, VAE: "one" two, three, Seed: 3'))
    assert pairs == {"Model": '7" disk', "VAE": '"one" two', "Seed": "3"}


def test_windows_line_ends_are_line_ends():
    text = f"a\r\nb\r\nNegative prompt: c\r\nd\r\n{LAST}\r\n"
    found = read_a1111_text(text)
    assert found.values["prompt"] == "a\nb"
    assert found.values["negative_prompt"] == "c\nd"
    assert found.values["height"] == 768


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a star"], ("a star", "")),
        ([], ("", "")),
        (["Negative prompt: b"], ("", "b")),
        (["a", "", "b"], ("a\n\nb", "")),
        # In the middle of a line it is a word.
        (["not a Negative prompt: b"], ("not a Negative prompt: b", "")),
        (["a", "Negative prompt: b", "Negative prompt: c"], ("a", "b\nc")),
        (
            ["Steps: 3, Sampler: x, Seed: 4", "b"],
            ("Steps: 3, Sampler: x, Seed: 4\nb", ""),
        ),
        (["Steps: to the top"], ("Steps: to the top", "")),
    ],
)
def test_prompts_are_what_stands_before_the_last_line(lines, expected):
    assert prompts(*lines, LAST) == expected


def test_templates_behind_the_settings_are_passed_over():
    behind = ["Template: {a|b}, c: d, e: f, g: h", "second", "Negative Template: x"]
    assert prompts("a", "Negative prompt: b", LAST, *behind) == ("a", "b")
    # As a line of a prompt it is one.
    assert prompts("a", "Template: x", LAST) == ("a\nTemplate: x", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a cat: the film, a dog",
        "one: a, two: b, three: c",
        "Steps: 3, Seed: 4",
        '{"sui_image_params": {"prompt": "a", "steps": 3, "seed": 4, "model": "b"}}',
        "Make: Canon, Lens: 50mm, Shutter: 1/100",
    ],
)
def test_a_text_without_settings_is_no_text_of_a1111(text):
    assert read_a1111_text(text) is None


@pytest.mark.parametrize(
    ("last", "name", "value"),
    [
        ("Steps: many, Sampler: Euler, Seed: 1", "steps", "many"),
        ("Steps: 5, Sampler: Euler, Seed: -1", "seed", "-1"),
        ("Steps: 5, Size: 512, Seed: 1", "width", 512),
        ("Steps: 5, CFG scale: x, Seed: 1", "cfg_scale", "x"),
        ("Steps: ٣, Size: 5x5, Seed: 1", "steps", "٣"),
    ],
)
def test_what_is_no_number_is_handed_on_as_it_stands(last, name, value):
    assert values("a", last)[name] == value


def test_a_name_counts_where_it_stands_first():
    assert values("a", f"{LAST}, Civitai resources: x, Seed: 99")["seed"] == 12


WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"),
    min_size=1,
    max_size=60,
).map(str.strip)


@given(prompt=WORDS, negative=WORDS, model=WORDS)
@settings(max_examples=60, deadline=None)
def test_what_we_write_is_read_back(prompt, negative, model):
    over = {"prompt": prompt, "negative_prompt": negative, "model": model}
    found = read_a1111_text(a1111_parameters(METADATA | over))
    begins = prompt.startswith(a1111.NEGATIVE) or negative.startswith(a1111.NEGATIVE)
    assert begins or found.values["prompt"] == prompt
    assert found.values.get("model", "") == model
    assert (found.values["steps"], found.values["seed"]) == (20, 4294967295)


class Looks:
    """Counts the characters that are looked at, and ends a search of too many."""

    def __init__(self, most):
        self.left = most

    def take(self, count):
        self.left -= count
        assert self.left >= 0, "too many looks"


class Counted(str):
    """A text that counts where it is searched or copied."""

    def find(self, wanted, start):
        found = super().find(wanted, start)
        self.looks.take((len(self) if found < 0 else found) - min(start, len(self)) + 1)
        return found

    def __getitem__(self, place):
        found = super().__getitem__(place)
        self.looks.take(len(found))
        return found


class CountedPattern:
    """A pattern that gives a place up at once, counted by how far it looked."""

    def __init__(self, pattern):
        self._pattern = pattern

    def match(self, text, start):
        found = self._pattern.match(text, start)
        is_open = text.startswith('"', start)
        end = found.end() if found else len(text) if is_open else start
        text.looks.take(end - start + 1)
        return found


HOSTILE = [
    "ab ab ",
    "ab:",
    'ab:"',
    'ab:"x,',
    'ab: "\\",',
    'ab:\\"',
    '"\\" ab:',
    "ab: [{",
    " : ",
    '"',
    "\\",
    ":",
    "Steps: 1, ",
    "ab:" + " " * 300,
    "가나다:라, ",
]


@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("before", ["", 'ab:"'])
def test_no_place_of_a_hostile_line_is_looked_at_more_than_six_times(
    monkeypatch, pattern, before
):
    monkeypatch.setattr(a1111, "_QUOTED", CountedPattern(a1111._QUOTED))
    monkeypatch.setattr(a1111, "_SPACES", CountedPattern(a1111._SPACES))
    text = Counted(before + pattern * (200_000 // len(pattern)))
    # At each place: for a colon, a name, a quote and a comma, and to copy it twice.
    text.looks = Looks(6 * len(text))
    for _ in read_pairs(text):
        pass
