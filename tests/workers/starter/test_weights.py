import json

import numpy as np
import pytest
import torch

from workers.starter.captions import PLAIN, write_caption
from workers.starter.evaluate import fingerprint
from workers.starter.judge import judge_picture
from workers.starter.pipeline import (
    SAMPLERS,
    WEIGHTS,
    draw_pictures,
    load_pipeline,
    use_sampler,
)
from workers.starter.scenes import draw_scenes

MEGABYTE = 10**6


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline()


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr("socket.socket.connect", refuse)


def test_the_weights_are_small_and_hold_no_pickle():
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30 * MEGABYTE
    weights = {path.name for path in files if path.stat().st_size > MEGABYTE}
    assert all(name.endswith((".safetensors", ".png")) for name in weights)


def test_plain_diffusers_loads_them_without_a_network(offline):
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(WEIGHTS, local_files_only=True)
    assert pipeline.vae_scale_factor * pipeline.unet.config.sample_size == 128
    assert pipeline.safety_checker is None


@pytest.mark.parametrize(
    "prompt", ["a yellow star on a blue background", "파란 배경에 노란 별"]
)
def test_yellow_on_blue_comes_out_so_and_in_the_centre(pipeline, prompt):
    [picture] = draw_pictures(pipeline, [prompt], first_seed=1)
    finding = judge_picture(picture)
    assert (finding.background, finding.colour) == ("blue", "yellow")
    assert (finding.column, finding.row) == ("centre", "centre")


def test_a_heart_is_recognised_as_one(pipeline):
    [picture] = draw_pictures(
        pipeline, ["a red heart on a white background"], first_seed=4
    )
    assert judge_picture(picture).kind == "heart"


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_usual_sampler_draws_the_colours_asked_for(sampler):
    pipeline = load_pipeline()
    use_sampler(pipeline, sampler)
    [picture] = draw_pictures(pipeline, ["a red heart on a white background"])
    finding = judge_picture(picture)
    assert (finding.background, finding.colour) == ("white", "red")


def test_the_same_seed_draws_the_same_picture_and_another_seed_another(pipeline):
    prompt = ["a green tree on a pink background"]
    first = draw_pictures(pipeline, prompt, first_seed=3, steps=4)
    assert np.array_equal(first, draw_pictures(pipeline, prompt, first_seed=3, steps=4))
    other = draw_pictures(pipeline, prompt, first_seed=4, steps=4)
    assert not np.array_equal(first, other)


def test_words_it_does_not_know_still_give_a_finite_picture(pipeline):
    with torch.no_grad():
        pictures = draw_pictures(
            pipeline, ["zxqy 뷁쀍 🦖 Ångström", "", "별 " * 200], steps=3
        )
    assert pictures.shape == (3, 128, 128, 3)
    assert all(picture.std() > 0 for picture in pictures)


def test_no_caption_is_longer_than_the_window(pipeline):
    rng = np.random.default_rng(5)
    tokenizer = pipeline.tokenizer
    for scene in draw_scenes(count=300, seed=13, pairs=0.4):
        for language in ("en", "ko"):
            caption = write_caption(rng, scene, language, PLAIN)
            assert len(tokenizer(caption).input_ids) <= tokenizer.model_max_length
            assert tokenizer.unk_token_id not in tokenizer(caption).input_ids[1:-1]


def test_the_published_figures_were_measured_on_these_weights():
    figures = json.loads((WEIGHTS / "figures.json").read_text())
    assert figures["weights"] == fingerprint(WEIGHTS)
    assert figures["prompts"] >= 300
    assert (WEIGHTS / "FIGURES.md").exists()
    assert (WEIGHTS / "sheet.png").exists()


def test_the_published_figures_reach_what_they_aim_at():
    figures = json.loads((WEIGHTS / "figures.json").read_text())
    for criterion, target in figures["targets"].items():
        assert figures["right"][criterion] >= target, criterion
    for criterion, share in figures["english"].items():
        assert figures["korean"][criterion] >= share - 5, criterion
