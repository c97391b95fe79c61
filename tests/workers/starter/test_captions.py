import numpy as np
import pytest

from workers.starter.captions import PLAIN, draw_captions, with_particle, write_caption
from workers.starter.examination import draw_questions
from workers.starter.scenes import draw_scenes, is_held_out
from workers.starter.words import LANGUAGES


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_plain_caption_names_kind_colours_and_position(language):
    rng = np.random.default_rng(1)
    words = LANGUAGES[language]
    for scene in draw_scenes(count=300, seed=2):
        caption = write_caption(rng, scene, language, PLAIN)
        named = [
            words.kinds[scene.kind],
            words.colours[scene.colour],
            words.colours[scene.background],
        ]
        if not scene.centred:
            named.append(words.sides[scene.column, scene.row])
        for names in named:
            assert any(name in caption for name in names), (caption, names)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_plain_caption_of_two_objects_names_both_and_tells_them_apart(language):
    rng = np.random.default_rng(6)
    words = LANGUAGES[language]
    for scene in draw_scenes(count=300, seed=7, pairs=1.0):
        caption = write_caption(rng, scene, language, PLAIN)
        for each in scene.objects:
            for names in (words.kinds[each.kind], words.colours[each.colour]):
                assert any(name in caption for name in names), (caption, names)
        assert any(name in caption for name in words.colours[scene.background])


def test_captions_leave_no_gaps_where_parts_are_unsaid():
    scenes = draw_scenes(count=2000, seed=3, pairs=0.4)
    for caption in draw_captions(scenes, seed=4):
        assert "  " not in caption
        assert " ," not in caption
        assert caption == caption.strip(" ,")


def test_captions_come_in_both_languages_and_some_say_nothing():
    captions = draw_captions(draw_scenes(count=2000, seed=3), seed=4)
    korean = sum(any("가" <= c <= "힣" for c in caption) for caption in captions)
    assert 0.35 < korean / len(captions) < 0.65
    assert 0.02 < captions.count("") / len(captions) < 0.12
    assert captions == draw_captions(draw_scenes(count=2000, seed=3), seed=4)


def test_particles_follow_the_final_consonant():
    assert with_particle("별", ("이", "가")) == "별이"
    assert with_particle("나무", ("이", "가")) == "나무가"


def test_examination_asks_each_held_out_scene_in_both_languages():
    questions = draw_questions(40)
    assert [q.language for q in questions] == ["en", "ko"] * 20
    for english, korean in zip(questions[::2], questions[1::2], strict=True):
        scene = english.scene
        assert scene == korean.scene
        assert is_held_out(scene.kind, scene.colour, scene.background)
