"""Silhouettes of the kinds of object a scene may hold.

Every shape lives in the square from -1 to 1 (x to the right, y downwards) and is a
list of parts painted in order; a part either fills or cuts what lies below it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SUPERSAMPLING = 8

Point = tuple[float, float]
Mask = NDArray[np.float32]


@dataclass(frozen=True)
class Polygon:
    points: tuple[Point, ...]
    cut: bool = False


@dataclass(frozen=True)
class Ellipse:
    """Axis-aligned ellipse by its centre and radii."""

    cx: float
    cy: float
    rx: float
    ry: float
    cut: bool = False


Part = Polygon | Ellipse


def rectangle(x0: float, y0: float, x1: float, y1: float, *, cut: bool = False) -> Part:
    return Polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), cut)


def disc(cx: float, cy: float, r: float, *, cut: bool = False) -> Part:
    return Ellipse(cx, cy, r, r, cut)


def on_circle(degrees: float, radius: float) -> Point:
    """Point at an angle clockwise from the top."""
    angle = math.radians(degrees)
    return radius * math.sin(angle), -radius * math.cos(angle)


def star() -> list[Part]:
    radii = (1.0, 0.42)
    return [Polygon(tuple(on_circle(36 * i, radii[i % 2]) for i in range(10)))]


def heart() -> list[Part]:
    points = []
    for i in range(90):
        t = math.tau * i / 90
        x = math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
        points.append((x, -(y - math.cos(4 * t) + 2.5) / 15))
    return [Polygon(tuple(points))]


def moon() -> list[Part]:
    return [disc(0, 0, 1), disc(0.55, -0.12, 0.82, cut=True)]


def sun() -> list[Part]:
    rays = (
        Polygon(
            (
                on_circle(45 * i - 14, 0.68),
                on_circle(45 * i, 1.05),
                on_circle(45 * i + 14, 0.68),
            )
        )
        for i in range(8)
    )
    return [disc(0, 0, 0.56), *rays]


def house() -> list[Part]:
    return [
        Polygon(((-1, -0.1), (0, -1), (1, -0.1))),
        rectangle(-0.76, -0.15, 0.76, 1),
        rectangle(-0.2, 0.35, 0.2, 1, cut=True),
    ]


def tree() -> list[Part]:
    return [
        Polygon(((0, -1), (0.52, -0.35), (-0.52, -0.35))),
        Polygon(((0, -0.7), (0.66, 0.1), (-0.66, 0.1))),
        Polygon(((0, -0.3), (0.8, 0.6), (-0.8, 0.6))),
        rectangle(-0.17, 0.55, 0.17, 1),
    ]


def flower() -> list[Part]:
    petals = []
    for i in range(6):
        x, y = on_circle(60 * i, 0.4)
        petals.append(disc(x, y - 0.32, 0.29))
    return [
        rectangle(-0.08, 0, 0.08, 1),
        Ellipse(0.34, 0.72, 0.3, 0.15),
        *petals,
        disc(0, -0.32, 0.2, cut=True),
    ]


def fish() -> list[Part]:
    return [
        Ellipse(-0.22, 0, 0.78, 0.52),
        Polygon(((0.3, 0), (1, -0.58), (0.86, 0), (1, 0.58))),
        disc(-0.6, -0.12, 0.12, cut=True),
    ]


def cloud() -> list[Part]:
    return [
        disc(-0.6, 0.18, 0.4),
        disc(0.62, 0.2, 0.38),
        disc(-0.18, -0.16, 0.46),
        disc(0.3, -0.04, 0.4),
        rectangle(-0.6, 0.15, 0.62, 0.58),
    ]


def boat() -> list[Part]:
    return [
        Polygon(((-1, 0.4), (1, 0.4), (0.62, 0.9), (-0.62, 0.9))),
        rectangle(-0.06, -1, 0.06, 0.45),
        Polygon(((0.14, -0.95), (0.86, 0.25), (0.14, 0.25))),
        Polygon(((-0.14, -0.6), (-0.66, 0.25), (-0.14, 0.25))),
    ]


def mushroom() -> list[Part]:
    return [
        Ellipse(0, 0.05, 1, 0.95),
        rectangle(-1.1, 0.1, 1.1, 1.1, cut=True),
        rectangle(-0.3, 0.05, 0.3, 0.9),
        disc(-0.42, -0.22, 0.17, cut=True),
        disc(0.15, -0.5, 0.17, cut=True),
        disc(0.52, -0.14, 0.14, cut=True),
    ]


def cat() -> list[Part]:
    return [
        Ellipse(0, 0.22, 0.88, 0.74),
        Polygon(((-0.86, 0.1), (-0.8, -0.95), (-0.12, -0.42))),
        Polygon(((0.86, 0.1), (0.8, -0.95), (0.12, -0.42))),
        disc(-0.36, 0.12, 0.15, cut=True),
        disc(0.36, 0.12, 0.15, cut=True),
        Polygon(((-0.13, 0.44), (0.13, 0.44), (0, 0.62)), cut=True),
    ]


def car() -> list[Part]:
    return [
        Polygon(((-0.62, -0.02), (-0.36, -0.56), (0.36, -0.56), (0.62, -0.02))),
        rectangle(-1, -0.06, 1, 0.4),
        Polygon(
            ((-0.4, -0.06), (-0.25, -0.4), (0.25, -0.4), (0.4, -0.06)),
            cut=True,
        ),
        disc(-0.54, 0.38, 0.26),
        disc(0.54, 0.38, 0.26),
    ]


def cup() -> list[Part]:
    return [
        disc(0.52, 0, 0.46),
        disc(0.52, 0, 0.26, cut=True),
        Polygon(((-0.9, -0.75), (0.55, -0.75), (0.42, 0.8), (-0.77, 0.8))),
    ]


SHAPES = {
    shape.__name__: shape
    for shape in (
        star,
        heart,
        moon,
        sun,
        house,
        tree,
        flower,
        fish,
        cloud,
        boat,
        mushroom,
        cat,
        car,
        cup,
    )
}
KINDS = tuple(SHAPES)


def paint(draw: ImageDraw.ImageDraw, parts: Iterable[Part], side: int) -> None:
    def pixel(x: float, y: float) -> Point:
        return (x + 1) / 2 * side, (y + 1) / 2 * side

    for part in parts:
        tone = 0 if part.cut else 255
        if isinstance(part, Polygon):
            draw.polygon([pixel(x, y) for x, y in part.points], fill=tone)
        else:
            corner = pixel(part.cx - part.rx, part.cy - part.ry)
            opposite = pixel(part.cx + part.rx, part.cy + part.ry)
            draw.ellipse((*corner, *opposite), fill=tone)


@cache
def mask_of(kind: str, radius: int) -> Mask:
    """Coverage of each pixel, 0 to 1, on a square of 2 * radius pixels a side."""
    side = 2 * radius * SUPERSAMPLING
    image = Image.new("L", (side, side))
    paint(ImageDraw.Draw(image), SHAPES[kind](), side)
    small = image.resize((2 * radius, 2 * radius), Image.Resampling.BOX)
    mask: Mask = np.asarray(small, dtype=np.float32) / np.float32(255)
    mask.setflags(write=False)
    return mask
