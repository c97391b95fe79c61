"""Scenes the starter model learns from: one or two flat objects on a flat background.

Everything is drawn by this module from a seed; there is no data set to download.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workers.starter.shapes import KINDS, mask_of

SIDE = 128
COLOURS = {
    "red": (222, 36, 40),
    "orange": (250, 138, 22),
    "yellow": (252, 222, 48),
    "green": (44, 158, 70),
    "blue": (38, 84, 216),
    "purple": (132, 52, 178),
    "pink": (252, 152, 194),
    "brown": (122, 72, 36),
    "black": (24, 24, 28),
    "white": (248, 248, 246),
}
COLOUR_JITTER = 6
# Half the side of the object's square, in pixels; both ends belong to the size.
SIZES = {"small": (20, 22), "medium": (27, 29), "large": (36, 38)}
COLUMNS = ("left", "centre", "right")
ROWS = ("top", "centre", "bottom")
# How far from the middle a named side lies, and how far an object strays from there.
OFFSETS = {"small": (34, 2), "medium": (30, 2), "large": (23, 2)}
CENTRE_STRAY = 2
CENTRE_SHARE = 0.3
# Two objects lie side by side or one above the other, and are no larger than this.
PAIR_OFFSET = (32, 1)
PAIR_SIZES = ("small", "medium")
HELD_OUT_EVERY = 10

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What is in a picture, by name, and where exactly it was put, in pixels.

    Attributes:
        other: a second object on the same background, right of this one or below it.
    """

    kind: str
    colour: str
    background: str
    size: str
    column: str
    row: str
    radius: int
    x: int
    y: int
    object_rgb: tuple[int, int, int]
    background_rgb: tuple[int, int, int]
    other: Scene | None = None

    @property
    def centred(self) -> bool:
        return self.column == "centre" and self.row == "centre"

    @property
    def objects(self) -> tuple[Scene, ...]:
        return (self, self.other) if self.other else (self,)

    @property
    def stacked(self) -> bool:
        """Of two objects: whether one lies above the other."""
        return self.row == "top"


def is_held_out(kind: str, colour: str, background: str) -> bool:
    """Whether training never sees this combination, so that tests may ask for it."""
    name = f"{kind}/{colour}/{background}"
    return zlib.crc32(name.encode()) % HELD_OUT_EVERY == 0


def combinations(*, held_out: bool) -> list[tuple[str, str, str]]:
    return [
        (kind, colour, background)
        for kind in KINDS
        for colour in COLOURS
        for background in COLOURS
        if colour != background and is_held_out(kind, colour, background) == held_out
    ]


def draw_rgb(rng: np.random.Generator, name: str) -> tuple[int, int, int]:
    shift = rng.integers(-COLOUR_JITTER, COLOUR_JITTER + 1, size=3)
    red, green, blue = np.clip(np.array(COLOURS[name]) + shift, 0, 255).tolist()
    return red, green, blue


def place(rng: np.random.Generator, side: int, offset: tuple[int, int]) -> int:
    """Coordinate for a side of -1 (left or top), 0 or 1."""
    away, stray = offset if side else (0, CENTRE_STRAY)
    return SIDE // 2 + side * away + int(rng.integers(-stray, stray + 1))


def draw_position(rng: np.random.Generator) -> tuple[int, int]:
    if rng.random() < CENTRE_SHARE:
        return 0, 0
    column, row = divmod(int(rng.integers(9)), 3)
    return column - 1, row - 1


def compose_object(
    rng: np.random.Generator,
    combination: tuple[str, str, str],
    *,
    size: str,
    side: tuple[int, int],
    offset: tuple[int, int],
) -> Scene:
    kind, colour, background = combination
    smallest, largest = SIZES[size]
    column, row = side
    return Scene(
        kind=kind,
        colour=colour,
        background=background,
        size=size,
        column=COLUMNS[column + 1],
        row=ROWS[row + 1],
        radius=int(rng.integers(smallest, largest + 1)),
        x=place(rng, column, offset),
        y=place(rng, row, offset),
        object_rgb=draw_rgb(rng, colour),
        background_rgb=draw_rgb(rng, background),
    )


def compose_scene(rng: np.random.Generator, combination: tuple[str, str, str]) -> Scene:
    """Scene of this kind, colour and background; the rest is drawn by chance."""
    size = str(rng.choice(list(SIZES)))
    side = draw_position(rng)
    return compose_object(rng, combination, size=size, side=side, offset=OFFSETS[size])


def compose_pair(
    rng: np.random.Generator,
    first: tuple[str, str, str],
    second: tuple[str, str, str],
) -> Scene:
    """Two objects on the first one's background."""
    stacked = bool(rng.integers(2))
    objects = []
    for combination, away in ((first, -1), (second, 1)):
        size = str(rng.choice(PAIR_SIZES))
        side = (0, away) if stacked else (away, 0)
        objects.append(
            compose_object(rng, combination, size=size, side=side, offset=PAIR_OFFSET)
        )
    ground = objects[0].background_rgb
    return replace(objects[0], other=replace(objects[1], background_rgb=ground))


def draw_scenes(
    *, count: int, seed: int, held_out: bool = False, pairs: float = 0.0
) -> list[Scene]:
    """Scenes of combinations that training sees, or never sees.

    pairs: the share of scenes with two objects.
    """
    rng = np.random.default_rng(seed)
    choices = combinations(held_out=held_out)
    on_ground = {
        ground: [choice for choice in choices if choice[2] == ground]
        for ground in COLOURS
    }
    scenes = []
    for pick, lot in zip(
        rng.integers(len(choices), size=count), rng.random(count), strict=True
    ):
        first = choices[pick]
        if lot < pairs:
            others = on_ground[first[2]]
            second = others[rng.integers(len(others))]
            scenes.append(compose_pair(rng, first, second))
        else:
            scenes.append(compose_scene(rng, first))
    return scenes


def object_mask(scene: Scene) -> NDArray[np.float32]:
    """Coverage of the whole picture's pixels by the objects, SIDE x SIDE, 0 to 1."""
    canvas = np.zeros((SIDE, SIDE), dtype=np.float32)
    for each in scene.objects:
        mask = mask_of(each.kind, each.radius)
        top, left = each.y - each.radius, each.x - each.radius
        canvas[top : top + len(mask), left : left + len(mask)] = mask
    return canvas


def render_scene(scene: Scene) -> Pixels:
    """RGB picture, SIDE x SIDE x 3."""
    ground = np.array(scene.background_rgb, dtype=np.float32)
    picture = np.broadcast_to(ground, (SIDE, SIDE, 3))
    for each in scene.objects:
        cover = object_mask(replace(each, other=None))[:, :, None]
        paint = np.array(each.object_rgb, dtype=np.float32)
        picture = picture + cover * (paint - picture)
    return np.rint(picture).astype(np.uint8)


def render_scenes(scenes: Sequence[Scene]) -> Pixels:
    return np.stack([render_scene(scene) for scene in scenes])
