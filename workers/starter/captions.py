"""Captions of scenes as people might ask for them, in English and in Korean.

A position that is not said means the centre; a size, colour or background that is
not said may be any. Chance adds remarks and unknown words that mean nothing for the
picture, so that the model learns to look past them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from workers.starter.scenes import Scene
from workers.starter.words import ENGLISH, KOREAN, LANGUAGES, Language

ENGLISH_ORDERS = (
    "{object} {on_ground}, {side}",
    "{object} {on_ground} {at_side}",
    "{object} {at_side} {on_ground}",
    "{object}, {ground}, {side}",
    "{ground}, {object}, {side}",
    "{ground} with {object} {at_side}",
    "{at_side}, {object} {on_ground}",
)
KOREAN_ORDERS = (
    "{ground} {at_side} {object}",
    "{ground_of} {at_side} {object}",
    "{on_ground} {object}, {side}",
    "{on_ground} {at_side} {object}",
    "{at_side} {object}, {ground}",
    "{object}, {ground}, {side}",
    "{ground}, {object}, {side}",
    "{at_side} {object_is} {being_ground}",
)
# Of two objects, the left or upper one is the first.
ENGLISH_ROWS = (
    "{first} and {second} {on_ground}",
    "{ground} with {first} and {second}",
    "{first} next to {second} {on_ground}",
    "{first} on the left and {second} on the right {on_ground}",
    "{first} on the left, {second} on the right, {ground}",
    "{first} left of {second} {on_ground}",
    "{second} right of {first} {on_ground}",
)
ENGLISH_STACKS = (
    "{first} above {second} {on_ground}",
    "{first} over {second}, {ground}",
    "{second} below {first} {on_ground}",
    "{second} under {first}, {ground}",
    "{first} at the top and {second} at the bottom {on_ground}",
    "{first} at the top, {second} at the bottom, {ground}",
)
KOREAN_ROWS = (
    "{on_ground} {first_and} {second}",
    "{first_and} {second}, {ground}",
    "{on_ground} {first} 옆에 {second}",
    "{on_ground} 왼쪽에 {first}, 오른쪽에 {second}",
    "왼쪽에 {first}, 오른쪽에 {second}, {ground}",
    "{on_ground} {first} 오른쪽에 {second}",
    "{on_ground} {second} 왼쪽에 {first}",
)
KOREAN_STACKS = (
    "{on_ground} {first} 아래에 {second}",
    "{on_ground} {second} 위에 {first}",
    "{on_ground} 위쪽에 {first}, 아래쪽에 {second}",
    "위쪽에 {first}, 아래쪽에 {second}, {ground}",
)
ENGLISH_OPENINGS = (
    "a drawing of",
    "a picture of",
    "an illustration of",
    "an image of",
    "draw",
    "please draw",
)
KOREAN_ENDINGS = ("그림", "이미지", "그려줘", "그려 주세요", "일러스트")
# What may hang on a Korean noun: with and without a final consonant.
PARTICLES = (
    ("이", "가"),
    ("을", "를"),
    ("은", "는"),
    ("과", "와"),
    *((same, same) for same in ("도", "만", "의", " 하나", " 한 개")),
)


@dataclass(frozen=True)
class Habits:
    """How often a caption leaves something out or adds what means nothing."""

    no_size: float = 0.3
    no_colour: float = 0.05
    no_background: float = 0.08
    no_centre: float = 0.6
    manner: float = 0.25
    remark: float = 0.12
    unknown_word: float = 0.06
    synonym: float = 0.6


PLAIN = Habits(
    no_size=0.3, no_colour=0, no_background=0, remark=0, unknown_word=0, synonym=0.5
)


def chance(rng: np.random.Generator, share: float) -> bool:
    return bool(rng.random() < share)


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def call(rng: np.random.Generator, names: Sequence[str], habits: Habits) -> str:
    return pick(rng, names) if chance(rng, habits.synonym) else names[0]


def with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def has_final_consonant(word: str) -> bool:
    code = ord(word[-1]) - ord("가")
    return 0 <= code < 11172 and code % 28 > 0


def with_particle(word: str, particle: tuple[str, str]) -> str:
    return word + particle[0 if has_final_consonant(word) else 1]


def tidy(text: str) -> str:
    """Close the gaps that unsaid parts leave."""
    text = re.sub(r"\s+", " ", text)
    return re.sub(r"(\s*,)+\s*", ", ", text).strip(" ,")


@dataclass(frozen=True)
class Said:
    """The parts a caption names; empty where it keeps silent."""

    object: str
    ground: str
    side: str


def name_object(
    rng: np.random.Generator, scene: Scene, words: Language, habits: Habits
) -> str:
    size = call(rng, words.sizes[scene.size], habits)
    colour = call(rng, words.colours[scene.colour], habits)
    parts = (
        "" if chance(rng, habits.no_size) else size,
        "" if chance(rng, habits.no_colour) else colour,
        call(rng, words.kinds[scene.kind], habits),
    )
    return " ".join(part for part in parts if part)


def choose_words(
    rng: np.random.Generator, scene: Scene, words: Language, habits: Habits
) -> Said:
    ground = call(rng, words.colours[scene.background], habits)
    side = call(rng, words.sides[scene.column, scene.row], habits)
    return Said(
        object=name_object(rng, scene, words, habits),
        ground="" if chance(rng, habits.no_background) else ground,
        side="" if scene.centred and chance(rng, habits.no_centre) else side,
    )


def english_parts(rng: np.random.Generator, said: Said) -> dict[str, str]:
    ground = f"{said.ground} background" if said.ground else ""
    grounds = (with_article(ground or "-"), said.ground, ground)
    where = "at" if said.side in {"top", "bottom"} else "in"
    if said.side.endswith(("left", "right", "side", "edge")):
        where = pick(rng, ("on", "at"))
    return {
        "object": with_article(said.object) if chance(rng, 0.8) else said.object,
        "ground": with_article(ground) if ground and chance(rng, 0.3) else ground,
        "on_ground": said.ground and f"on {pick(rng, grounds)}",
        "side": said.side,
        "at_side": said.side and f"{where} the {said.side}",
    }


def korean_parts(rng: np.random.Generator, said: Said) -> dict[str, str]:
    ground = said.ground and f"{said.ground} {pick(rng, ('배경', '배경', '바탕'))}"
    thing = said.object
    if chance(rng, 0.2):
        thing = with_particle(thing, PARTICLES[int(rng.integers(len(PARTICLES)))])
    return {
        "object": thing,
        "object_is": with_particle(said.object, PARTICLES[0]),
        "ground": ground,
        "ground_of": ground and f"{ground}의",
        "on_ground": ground and ground + pick(rng, ("에", " 위에", "에 있는")),
        "being_ground": ground and f"있는 {ground}",
        "side": said.side,
        "at_side": said.side and said.side + pick(rng, ("에", "에", "에 있는", "의")),
    }


def unknown_word(rng: np.random.Generator) -> str:
    """A made-up word of Latin letters or Hangul syllables."""
    if chance(rng, 0.5):
        letters = rng.integers(ord("a"), ord("z") + 1, size=rng.integers(2, 8))
    else:
        letters = ord("가") + rng.integers(11172, size=rng.integers(1, 4))
    return "".join(chr(letter) for letter in letters)


def decorate(
    rng: np.random.Generator, text: str, words: Language, habits: Habits
) -> str:
    if chance(rng, habits.remark):
        extra = ", ".join(pick(rng, words.remarks) for _ in range(rng.integers(1, 4)))
        text = pick(rng, (f"{extra}, {text}", f"{text}, {extra}"))
    if chance(rng, habits.unknown_word):
        spot = int(rng.integers(text.count(" ") + 2))
        pieces = text.split(" ")
        text = " ".join([*pieces[:spot], unknown_word(rng), *pieces[spot:]])
    return text


def choose_order(rng: np.random.Generator, scene: Scene, words: Language) -> str:
    korean = words is KOREAN
    if not scene.other:
        return pick(rng, KOREAN_ORDERS if korean else ENGLISH_ORDERS)
    if scene.stacked:
        return pick(rng, KOREAN_STACKS if korean else ENGLISH_STACKS)
    return pick(rng, KOREAN_ROWS if korean else ENGLISH_ROWS)


def write_parts(
    rng: np.random.Generator, scene: Scene, words: Language, habits: Habits
) -> dict[str, str]:
    """Every part that an order may ask for, in the words that chance chose."""
    said = choose_words(rng, scene, words, habits)
    parts = korean_parts if words is KOREAN else english_parts
    written = parts(rng, said)
    if not scene.other:
        return written
    second = replace(said, object=name_object(rng, scene.other, words, habits))
    return written | {
        "first": parts(rng, said)["object"] if words is ENGLISH else said.object,
        "first_and": with_particle(said.object, ("과", "와")),
        "second": parts(rng, second)["object"] if words is ENGLISH else second.object,
    }


def write_caption(
    rng: np.random.Generator, scene: Scene, language: str, habits: Habits
) -> str:
    """One of the many ways to ask for this scene in "en" or "ko"."""
    words = LANGUAGES[language]
    manner = chance(rng, habits.manner)
    order = choose_order(rng, scene, words)
    text = order.format(**write_parts(rng, scene, words, habits))
    if words is KOREAN:
        text = f"{text} {pick(rng, KOREAN_ENDINGS)}" if manner else text
    else:
        text = text.removesuffix("with ")
        text = f"{pick(rng, ENGLISH_OPENINGS)} {text}" if manner else text
    return decorate(rng, tidy(text), words, habits)


def write_nothing(rng: np.random.Generator) -> str:
    """A caption that says nothing of the scene: what guidance steers away from."""
    if chance(rng, 0.6):
        return ""
    words = KOREAN if chance(rng, 0.3) else ENGLISH
    options = [*words.faults, *words.remarks]
    return ", ".join(pick(rng, options) for _ in range(rng.integers(1, 5)))


def draw_captions(
    scenes: Sequence[Scene], *, seed: int, nothing: float = 0.1
) -> list[str]:
    """Training captions: both languages alike, a share of them saying nothing."""
    rng = np.random.default_rng(seed)
    captions = []
    for scene in scenes:
        language = pick(rng, tuple(LANGUAGES))
        said = write_caption(rng, scene, language, Habits())
        captions.append(write_nothing(rng) if chance(rng, nothing) else said)
    return captions
