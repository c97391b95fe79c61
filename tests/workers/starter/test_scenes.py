from dataclasses import replace

import numpy as np

from workers.starter.scenes import (
    COLOURS,
    SIDE,
    combinations,
    draw_scenes,
    object_mask,
    render_scenes,
)
from workers.starter.shapes import KINDS


def test_the_same_seed_draws_the_same_pictures():
    first = render_scenes(draw_scenes(count=20, seed=4))
    second = render_scenes(draw_scenes(count=20, seed=4))
    other = render_scenes(draw_scenes(count=20, seed=5))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_there_are_enough_kinds_and_colours():
    assert len(KINDS) >= 12
    assert len(COLOURS) >= 10


def test_every_object_lies_whole_inside_its_picture():
    for scene in draw_scenes(count=500, seed=6):
        assert scene.radius <= scene.x <= SIDE - scene.radius
        assert scene.radius <= scene.y <= SIDE - scene.radius
        assert object_mask(scene).sum() > 100


def test_two_objects_share_a_background_and_never_touch():
    for scene in draw_scenes(count=300, seed=9, pairs=1.0):
        first, second = scene.objects
        assert first.background_rgb == second.background_rgb
        masks = [object_mask(replace(each, other=None)) for each in scene.objects]
        assert not (masks[0] * masks[1]).any()
        before = (second.x - first.x, second.y - first.y)[scene.stacked]
        assert before > 0


def test_the_share_of_scenes_with_two_objects_is_the_one_asked_for():
    scenes = draw_scenes(count=2000, seed=10, pairs=0.4)
    assert 0.35 < sum(len(scene.objects) == 2 for scene in scenes) / 2000 < 0.45
    assert all(scene.other is None for scene in draw_scenes(count=200, seed=10))


def test_training_never_sees_a_held_out_combination():
    held_out = set(combinations(held_out=True))
    trained = {
        (s.kind, s.colour, s.background)
        for scene in draw_scenes(count=5000, seed=7, pairs=0.4)
        for s in scene.objects
    }
    examined = {
        (s.kind, s.colour, s.background)
        for s in draw_scenes(count=500, seed=8, held_out=True)
    }
    assert not held_out & trained
    assert examined <= held_out


def test_held_out_combinations_cover_every_kind_and_colour():
    held_out = combinations(held_out=True)
    assert len(held_out) >= 100
    assert {kind for kind, _, _ in held_out} == set(KINDS)
    assert {colour for _, colour, _ in held_out} == set(COLOURS)
    assert {background for _, _, background in held_out} == set(COLOURS)
