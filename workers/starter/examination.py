"""Held-out prompts, and how many of them the model draws as asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.starter.captions import PLAIN, write_caption
from workers.starter.judge import Finding, judge_half, judge_picture
from workers.starter.scenes import COLUMNS, ROWS, Pixels, Scene, draw_scenes

CRITERIA = ("background", "colour", "position", "kind", "all")
SCENES_SEED = 20_000
CAPTIONS_SEED = 30_000


@dataclass(frozen=True)
class Question:
    prompt: str
    language: str
    scene: Scene


def draw_questions(count: int, *, pairs: float = 0.0) -> list[Question]:
    """Prompts for combinations that training never sees, each scene in both languages.

    All of them say kind, both colours and (unless it is the centre) the position.
    `pairs` is the share of scenes with two objects, neither of which training sees.
    """
    scenes = draw_scenes(
        count=(count + 1) // 2, seed=SCENES_SEED, held_out=True, pairs=pairs
    )
    rng = np.random.default_rng(CAPTIONS_SEED)
    questions = [
        Question(write_caption(rng, scene, language, PLAIN), language, scene)
        for scene in scenes
        for language in ("en", "ko")
    ]
    return questions[:count]


def marks(scene: Scene, finding: Finding) -> dict[str, bool]:
    right = {
        "background": finding.background == scene.background,
        "colour": finding.colour == scene.colour,
        "position": (finding.column, finding.row) == (scene.column, scene.row),
        "kind": finding.kind == scene.kind,
    }
    return {**right, "all": all(right.values())}


def mark_picture(scene: Scene, picture: Pixels) -> dict[str, bool]:
    """What is right; of two objects, what is right of both."""
    if scene.other is None:
        return marks(scene, judge_picture(picture))
    both = [
        marks(
            each,
            judge_half(
                picture,
                row=ROWS.index(each.row) - 1,
                column=COLUMNS.index(each.column) - 1,
            ),
        )
        for each in scene.objects
    ]
    return {name: all(right[name] for right in both) for name in CRITERIA}


def mark_pictures(scenes: Sequence[Scene], pictures: Pixels) -> list[dict[str, bool]]:
    return [
        mark_picture(scene, picture)
        for scene, picture in zip(scenes, pictures, strict=True)
    ]


def shares(results: Sequence[dict[str, bool]]) -> dict[str, float]:
    """Percentage right by criterion, to a tenth."""
    return {
        name: round(100 * float(np.mean([result[name] for result in results])), 1)
        for name in CRITERIA
    }
