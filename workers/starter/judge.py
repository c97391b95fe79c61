"""Reads a picture back: which colours, which object, where, from its pixels alone.

The judge knows the palette and the silhouettes, and has never seen what the model
draws. It looks for the silhouette that covers the object best.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from workers.starter.scenes import COLOURS, COLUMNS, ROWS, SIDE, SIZES, Pixels
from workers.starter.shapes import KINDS, mask_of

Floats = NDArray[np.float32]
# A colour farther than this from every name (levels of 255) has no name.
COLOUR_REACH = 75.0
# Fainter differences from the background are no object.
FAINTEST = 24.0
# Silhouettes that share less than this with the object do not count as found.
LEAST_OVERLAP = 0.6
# Centred objects stray 3 pixels; those put aside lie at least 21 from the middle.
SIDE_FROM = 12
RADII = range(12, 44)
MARGIN = 48


@dataclass(frozen=True)
class Finding:
    """What a picture shows; None where nothing fits."""

    background: str | None
    colour: str | None = None
    kind: str | None = None
    column: str | None = None
    row: str | None = None
    size: str | None = None
    overlap: float = 0.0


def name_colour(rgb: Floats) -> str | None:
    distances = {
        name: float(np.linalg.norm(rgb - np.array(value)))
        for name, value in COLOURS.items()
    }
    name = min(distances, key=distances.__getitem__)
    return name if distances[name] <= COLOUR_REACH else None


def background_rgb(picture: Floats) -> Floats:
    """Median of the frame, of which an object covers a part at most."""
    sides = picture[:, [0, 1, 2, -3, -2, -1]].swapaxes(0, 1)
    frame = np.concatenate([picture[:3], picture[-3:], sides])
    median: Floats = np.median(frame.reshape(-1, 3), axis=0).astype(np.float32)
    return median


def object_rgb(picture: Floats, ground: Floats) -> Floats | None:
    """Median of what differs most from the background, None if nothing does."""
    distance = np.linalg.norm(picture - ground, axis=2)
    strongest = float(np.quantile(distance, 0.99))
    if strongest < FAINTEST:
        return None
    rgb: Floats = np.median(picture[distance > 0.7 * strongest], axis=0)
    return rgb


def coverage(picture: Floats, ground: Floats, paint: Floats) -> Floats:
    """Share of the object in each pixel, 0 to 1, if pixels mix the two colours."""
    line = paint - ground
    share: Floats = np.clip((picture - ground) @ line / float(line @ line), 0, 1)
    share[share < 0.2] = 0
    return share


@cache
def template(kind: str, radius: int) -> tuple[Floats, float, float, float]:
    """Silhouette, its centre of mass (x, y) and its area, in pixels."""
    mask = mask_of(kind, radius)
    area = float(mask.sum())
    at = np.arange(len(mask)) + 0.5
    return mask, float(mask.sum(0) @ at) / area, float(mask.sum(1) @ at) / area, area


def overlap(cover: Floats, area: float, mask: Floats, corner: Floats) -> float:
    """Intersection over union with a silhouette whose corner (x, y) lies there."""
    left, top = (round(float(value)) + MARGIN for value in corner)
    if min(left, top) < 0 or max(left, top) + len(mask) > len(cover):
        return 0.0
    window = cover[top : top + len(mask), left : left + len(mask)]
    shared = float(np.minimum(window, mask).sum())
    return shared / (area + float(mask.sum()) - shared)


def best_silhouette(cover: Floats) -> tuple[float, str, int, Floats]:
    """Overlap, kind, radius and centre (x, y) of the silhouette that fits best."""
    area = float(cover.sum())
    at = np.arange(SIDE) + 0.5
    moments = np.array([cover.sum(0) @ at, cover.sum(1) @ at], dtype=np.float32)
    mass: Floats = moments / np.float32(area)
    padded = np.pad(cover, MARGIN)
    best: tuple[float, str, int, Floats] = (0.0, KINDS[0], 0, mass)
    for kind in KINDS:
        for radius in RADII:
            mask, x, y, mask_area = template(kind, radius)
            if not 0.6 < mask_area / area < 1.7:
                continue
            corner = mass - np.array((x, y), dtype=np.float32)
            score = overlap(padded, area, mask, corner)
            if score > best[0]:
                best = (score, kind, radius, corner + np.float32(radius))
    return best


def side_of(position: float, names: tuple[str, str, str]) -> str:
    away = position - SIDE / 2
    return names[1] if abs(away) <= SIDE_FROM else names[0 if away < 0 else 2]


def size_of(radius: int) -> str:
    return min(SIZES, key=lambda size: abs(radius - sum(SIZES[size]) / 2))


def judge_picture(pixels: Pixels) -> Finding:
    """Findings for one RGB picture of SIDE x SIDE x 3 bytes."""
    picture = pixels.astype(np.float32)
    ground = background_rgb(picture)
    background = name_colour(ground)
    paint = object_rgb(picture, ground)
    if paint is None:
        return Finding(background)
    cover = coverage(picture, ground, paint)
    score, kind, radius, centre = best_silhouette(cover)
    found = score >= LEAST_OVERLAP
    return Finding(
        background=background,
        colour=name_colour(paint),
        kind=kind if found else None,
        column=side_of(float(centre[0]), COLUMNS),
        row=side_of(float(centre[1]), ROWS),
        size=size_of(radius) if found else None,
        overlap=round(score, 3),
    )


def judge_half(pixels: Pixels, *, row: int, column: int) -> Finding:
    """Findings for the object of the upper or left half (-1) or the other one (1).

    0 means the whole height or width.
    """
    picture = pixels.copy()
    ground = background_rgb(pixels.astype(np.float32))
    middle = SIDE // 2
    for axis, side in enumerate((row, column)):
        other = {-1: slice(middle, SIDE), 0: slice(0, 0), 1: slice(0, middle)}[side]
        picture[(other,) if axis == 0 else (slice(None), other)] = np.rint(ground)
    return judge_picture(picture)
