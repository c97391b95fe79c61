"""Long prompts are read to their end, and what is cut is said."""

import numpy as np
import pytest
import torch

from tests.workers.engine.conftest import make_spec, run
from tests.workers.engine.plain import pixels
from workers.engine.prompts import encode_prompts

LONG = "a red star above a blue house, " * 12


def loaded(engine, folder, base):
    denoised = engine.denoise(
        make_spec(folder, base, steps=1),
        on_phase=lambda phase: None,
        on_step=lambda done, total: None,
        should_stop=lambda: None,
    )
    denoised.discard()
    return denoised.work.model


@pytest.fixture
def sd15(engine, folders):
    return loaded(engine, folders["sd15"], "sd15")


@pytest.mark.parametrize("base", ["sd15", "sdxl"])
def test_words_past_the_first_window_count(engine, folders, base):
    specs = [
        make_spec(folders[base], base, prompt=LONG + end)
        for end in ("a fish", "a moon")
    ]
    first, second = (run(engine, spec) for spec in specs)
    assert np.abs(pixels(first.images) - pixels(second.images)).max() > 0
    (note,) = first.notes
    assert note.code == "prompt_windows"
    assert note.data["windows"] > 1


def test_each_window_is_encoded_as_the_pipeline_encodes_it(sd15):
    """A window of exactly 75 tokens, then the rest: compare with two plain calls."""
    pipeline = sd15.pipeline
    tokenizer = pipeline.tokenizer
    ids = tokenizer(LONG, add_special_tokens=False).input_ids[:100]
    text = tokenizer.decode(ids)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert 75 < len(ids) <= 150
    embeds = encode_prompts(sd15, text, None, None).arguments["prompt_embeds"]
    assert embeds.shape == (1, 2 * 77, 64)
    with torch.inference_mode():
        for window, part in enumerate((ids[:75], ids[75:])):
            framed = [tokenizer.bos_token_id, *part, tokenizer.eos_token_id]
            framed += [tokenizer.pad_token_id] * (77 - len(framed))
            plain = pipeline.text_encoder(torch.tensor([framed]))[0]
            ours = embeds[:, 77 * window : 77 * (window + 1)]
            assert torch.allclose(ours, plain, atol=1e-6)


@pytest.mark.parametrize("base", ["sd15", "sd21", "sdxl"])
@pytest.mark.parametrize("negative", [None, "", "blurry"])
def test_short_prompts_are_encoded_bit_by_bit_as_the_pipeline_does(
    engine, folders, base, negative
):
    model = loaded(engine, folders[base], base)
    ours = encode_prompts(model, "a red star", negative or None, 5.0).arguments
    with torch.inference_mode():
        plain = model.pipeline.encode_prompt(
            "a red star",
            device=torch.device("cpu"),
            num_images_per_prompt=1,
            do_classifier_free_guidance=True,
            negative_prompt=negative or None,
        )
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds")
    for name, expected in zip(names, plain, strict=False):
        assert torch.equal(ours[name], expected)


def test_a_tokenizer_without_a_limit_keeps_to_the_encoders(sd15, monkeypatch):
    short = encode_prompts(sd15, "a star", None, None).arguments["prompt_embeds"]
    monkeypatch.setattr(sd15.pipeline.tokenizer, "model_max_length", int(1e30))
    long = encode_prompts(sd15, "a star", None, None).arguments["prompt_embeds"]
    assert torch.equal(short, long)


def test_a_long_negative_prompt_is_read_whole_too(engine, folders):
    specs = [
        make_spec(folders["sd15"], "sd15", negative_prompt=LONG + end)
        for end in ("a fish", "a moon")
    ]
    first, second = (pixels(run(engine, spec).images) for spec in specs)
    assert np.abs(first - second).max() > 0


@pytest.mark.parametrize("base", ["sd15", "flux"])
def test_what_no_window_holds_is_reported_word_by_word(engine, folders, base):
    prompt = "star " * 700 + "fish"
    result = run(engine, make_spec(folders[base], base, prompt=prompt, steps=1))
    cuts = [note for note in result.notes if note.code == "prompt_cut"]
    (cut,) = cuts
    assert cut.data["field"] == "prompt"
    assert cut.data["kept"] < cut.data["tokens"]
    assert cut.data["lost"].strip().endswith("fish")


def test_a_short_prompt_needs_no_note(engine, folders):
    for base in ("sd15", "sdxl", "flux"):
        assert run(engine, make_spec(folders[base], base, steps=1)).notes == ()


def test_korean_prompts_reach_the_model(engine, folders):
    specs = [
        make_spec(folders["sd15"], "sd15", prompt=prompt)
        for prompt in ("빨간 별", "파란 집")
    ]
    first, second = (pixels(run(engine, spec).images) for spec in specs)
    assert np.abs(first - second).max() > 0


def test_an_empty_prompt_draws_something(engine, folders):
    for base in ("sd15", "flux"):
        result = run(engine, make_spec(folders[base], base, prompt=""))
        assert result.images[0] is not None
