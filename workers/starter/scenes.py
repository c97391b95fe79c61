"""Scenes the starter model learns from: one flat object on a flat background.

Everything is drawn by this module from a seed; there is no data set to download.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

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
SIZES = {"small": (17, 20), "medium": (26, 29), "large": (36, 39)}
COLUMNS = ("left", "centre", "right")
ROWS = ("top", "centre", "bottom")
# How far from the middle a named side lies, and how far an object strays from there.
OFFSETS = {"small": (34, 4), "medium": (30, 4), "large": (23, 2)}
CENTRE_STRAY = 3
CENTRE_SHARE = 0.3
HELD_OUT_EVERY = 10

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What is in a picture, by name, and where exactly it was put, in pixels."""

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

    @property
    def centred(self) -> bool:
        return self.column == "centre" and self.row == "centre"


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


def place(rng: np.random.Generator, size: str, side: int) -> int:
    """Coordinate for a side of -1 (left or top), 0 or 1."""
    offset, stray = OFFSETS[size] if side else (0, CENTRE_STRAY)
    return SIDE // 2 + side * offset + int(rng.integers(-stray, stray + 1))


def draw_position(rng: np.random.Generator) -> tuple[int, int]:
    if rng.random() < CENTRE_SHARE:
        return 0, 0
    column, row = divmod(int(rng.integers(9)), 3)
    return column - 1, row - 1


def compose_scene(rng: np.random.Generator, combination: tuple[str, str, str]) -> Scene:
    """Scene of this kind, colour and background; the rest is drawn by chance."""
    kind, colour, background = combination
    size = str(rng.choice(list(SIZES)))
    smallest, largest = SIZES[size]
    column, row = draw_position(rng)
    return Scene(
        kind=kind,
        colour=colour,
        background=background,
        size=size,
        column=COLUMNS[column + 1],
        row=ROWS[row + 1],
        radius=int(rng.integers(smallest, largest + 1)),
        x=place(rng, size, column),
        y=place(rng, size, row),
        object_rgb=draw_rgb(rng, colour),
        background_rgb=draw_rgb(rng, background),
    )


def draw_scenes(*, count: int, seed: int, held_out: bool = False) -> list[Scene]:
    rng = np.random.default_rng(seed)
    choices = combinations(held_out=held_out)
    picks = rng.integers(len(choices), size=count)
    return [compose_scene(rng, choices[pick]) for pick in picks]


def object_mask(scene: Scene) -> NDArray[np.float32]:
    """Coverage of the whole picture's pixels by the object, SIDE x SIDE, 0 to 1."""
    canvas = np.zeros((SIDE, SIDE), dtype=np.float32)
    mask = mask_of(scene.kind, scene.radius)
    top, left = scene.y - scene.radius, scene.x - scene.radius
    canvas[top : top + len(mask), left : left + len(mask)] = mask
    return canvas


def render_scene(scene: Scene) -> Pixels:
    """RGB picture, SIDE x SIDE x 3."""
    cover = object_mask(scene)[:, :, None]
    ground = np.array(scene.background_rgb, dtype=np.float32)
    paint = np.array(scene.object_rgb, dtype=np.float32)
    return np.rint(ground + cover * (paint - ground)).astype(np.uint8)


def render_scenes(scenes: Sequence[Scene]) -> Pixels:
    return np.stack([render_scene(scene) for scene in scenes])
