from dataclasses import replace

import numpy as np

from workers.starter.examination import mark_pictures, shares
from workers.starter.judge import judge_picture
from workers.starter.scenes import SIDE, draw_scenes, render_scene, render_scenes


def test_the_judge_reads_our_own_drawings_without_a_mistake():
    scenes = draw_scenes(count=300, seed=9)
    results = mark_pictures(scenes, render_scenes(scenes))
    assert shares(results)["all"] == 100


def test_the_judge_reads_both_of_two_objects():
    scenes = draw_scenes(count=200, seed=14, pairs=1.0)
    assert shares(mark_pictures(scenes, render_scenes(scenes)))["all"] == 100


def test_two_objects_that_changed_places_are_wrong():
    for scene in draw_scenes(count=40, seed=15, pairs=1.0):
        first, second = scene.objects
        swapped = replace(
            first,
            kind=second.kind,
            object_rgb=second.object_rgb,
            other=replace(second, kind=first.kind, object_rgb=first.object_rgb),
        )
        [marks] = mark_pictures([scene], render_scene(swapped)[None])
        assert marks["kind"] == (first.kind == second.kind)
        assert marks["colour"] == (first.colour == second.colour)


def test_one_of_two_objects_is_not_enough():
    [scene] = draw_scenes(count=1, seed=16, pairs=1.0)
    [marks] = mark_pictures([scene], render_scene(replace(scene, other=None))[None])
    assert not marks["kind"]


def test_the_judge_reads_size_as_well():
    for scene in draw_scenes(count=60, seed=10):
        assert judge_picture(render_scene(scene)).size == scene.size


def test_the_judge_is_not_upset_by_a_little_noise():
    scenes = draw_scenes(count=60, seed=11)
    noise = np.random.default_rng(1).normal(0, 8, (60, SIDE, SIDE, 3))
    noisy = np.clip(render_scenes(scenes) + noise, 0, 255).astype(np.uint8)
    assert shares(mark_pictures(scenes, noisy))["all"] >= 97


def test_each_wrong_attribute_costs_its_own_mark():
    scene = next(
        s for s in draw_scenes(count=99, seed=12) if s.kind == "star" and s.centred
    )
    wrong = {
        "kind": replace(scene, kind="house"),
        "colour": replace(scene, object_rgb=(128, 128, 128)),
        "position": replace(scene, x=scene.x - 24),
    }
    for criterion, picture in wrong.items():
        [marks] = mark_pictures([scene], render_scene(picture)[None])
        assert not marks[criterion]
        assert not marks["all"]


def test_an_empty_picture_shows_only_its_background():
    finding = judge_picture(np.full((SIDE, SIDE, 3), (38, 84, 216), np.uint8))
    assert finding.background == "blue"
    assert finding.kind is finding.colour is finding.row is None


def test_a_shapeless_blot_is_no_kind():
    rng = np.random.default_rng(2)
    picture = np.full((SIDE, SIDE, 3), 248, np.uint8)
    picture[rng.random((SIDE, SIDE)) < 0.2] = (222, 36, 40)
    assert judge_picture(picture).kind is None
