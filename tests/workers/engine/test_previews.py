"""Previews show the picture under the noise, seldom and off the denoising thread."""

import inspect
import io
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from tests.workers.engine.conftest import make_spec, run
from tests.workers.engine.plain import pixels
from workers.engine import previews
from workers.engine.decoding import encode_latents, unpack
from workers.engine.denoising import StepTap
from workers.engine.previews import (
    PreviewPainter,
    fit_latent_map,
    paint,
    predicted_picture,
)
from workers.engine.samplers import make_scheduler, noise_config


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(previews, "INTERVAL", 0.0)


def loaded(engine, folders, base):
    """The resident model of a base, through a pass that is not decoded."""
    denoised = engine.denoise(
        make_spec(folders[base], base, steps=1),
        on_phase=lambda phase: None,
        on_step=lambda done, total: None,
        should_stop=lambda: None,
    )
    model = denoised.work.model
    denoised.discard()
    return model


@pytest.mark.parametrize("base", ["sd15", "sd21", "sdxl", "flux"])
def test_a_pass_sends_previews_of_each_picture(engine, folders, base, watcher, often):
    spec = make_spec(folders[base], base, width=96, seeds=(1, 2))
    run(engine, spec, watcher, previews=True)
    assert {index for index, _ in watcher.previews} == {0, 1}
    for _, data in watcher.previews:
        image = Image.open(io.BytesIO(data))
        assert image.format == "JPEG"
        assert max(image.size) <= 256
        assert image.width > image.height


def test_previews_do_not_change_the_picture(engine, folders, watcher, often):
    for sampler in ("euler_a", "dpmpp_2m_sde"):
        spec = make_spec(folders["sd15"], "sd15", sampler=sampler)
        without = run(engine, spec).images[0].tobytes()
        seen = run(engine, spec, watcher, previews=True).images[0].tobytes()
        assert seen == without


def test_previews_come_from_another_thread(engine, folders, often):
    threads = set()
    engine.run(
        make_spec(folders["sd15"], "sd15"),
        on_phase=lambda phase: None,
        on_step=lambda done, total: None,
        should_stop=lambda: None,
        on_preview=lambda index, data: threads.add(threading.get_ident()),
    )
    assert threads
    assert threading.get_ident() not in threads


def test_at_most_four_previews_a_second_and_the_latest_wins(engine, folders):
    model = loaded(engine, folders, "sd15")
    sent = []

    def slowly(index, data):
        sent.append(time.monotonic())
        time.sleep(0.05)

    painter = PreviewPainter(model, slowly, 64, 64)
    began = time.monotonic()
    offered = 0
    while time.monotonic() - began < 0.9:
        if painter.due():
            painter.offer(torch.zeros(1, 4, 8, 8), 0)
            offered += 1
    painter.close()
    assert 3 <= offered <= 4
    assert 3 <= len(sent) <= 4


def test_only_the_newest_of_waiting_previews_is_painted(engine, folders):
    model = loaded(engine, folders, "sd15")
    entered, leave, sent = threading.Event(), threading.Event(), []

    def hold(index, data):
        sent.append(index)
        entered.set()
        leave.wait(5)

    painter = PreviewPainter(model, hold, 64, 64)
    painter.offer(torch.zeros(1, 4, 8, 8), 0)
    assert entered.wait(5)
    for index in (1, 2, 3):
        painter.offer(torch.zeros(1, 4, 8, 8), index)
    leave.set()
    while len(sent) < 2:
        time.sleep(0.01)
    painter.close()
    assert sent == [0, 3]


def test_no_preview_comes_after_the_pass(engine, folders, watcher, often):
    run(engine, make_spec(folders["sd15"], "sd15"), watcher, previews=True)
    count = len(watcher.previews)
    time.sleep(0.2)
    assert len(watcher.previews) == count


def test_a_failing_receiver_does_not_fail_the_pass(engine, folders, often, caplog):
    def fail(index, data):
        raise ConnectionError("nobody listens")

    result = engine.run(
        make_spec(folders["sd15"], "sd15"),
        on_phase=lambda phase: None,
        on_step=lambda done, total: None,
        should_stop=lambda: None,
        on_preview=fail,
    )
    assert result.images[0] is not None
    assert "previews end here" in caplog.text


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "ddim", "heun", "lcm"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_predicted_picture_is_the_one_under_the_noise(sampler, prediction):
    """For a model that knows the noise exactly, whatever the scheduler's scale."""
    saved = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    noise = noise_config("sd15", {**saved, "prediction_type": prediction})
    scheduler = make_scheduler("sd15", sampler, noise, 10)
    scheduler.set_timesteps(10)
    timestep = scheduler.timesteps[4]
    alpha = scheduler.alphas_cumprod[int(timestep)]
    keep, spread = alpha**0.5, (1 - alpha) ** 0.5
    generator = torch.Generator().manual_seed(0)
    picture, grain = (torch.randn(1, 4, 8, 8, generator=generator) for _ in "ab")
    kept = keep * picture + spread * grain
    sample = kept / keep if float(scheduler.init_noise_sigma) != 1 else kept
    output = grain if prediction == "epsilon" else keep * grain - spread * picture
    predicted = predicted_picture(sample, output, float(timestep), scheduler, "sd15")
    assert torch.allclose(predicted, picture, atol=1e-3)


def test_flux_predicts_along_a_straight_line():
    picture, grain = torch.ones(1, 4, 64), torch.full((1, 4, 64), 3.0)
    sample = 0.75 * picture + 0.25 * grain
    predicted = predicted_picture(sample, grain - picture, 250.0, None, "flux")
    assert torch.allclose(predicted, picture)


class LinearAutoencoder(torch.nn.Module):
    """Latents are a known linear map of 8 x 8 mean colours."""

    dtype = torch.float32
    mix = torch.tensor([[1.0, 0.2, 0.0], [0.0, 1.0, 0.3], [0.4, 0.0, 1.0], [1, 1, 1]])

    class Config(dict):
        scaling_factor = 0.5

    config = Config()

    def encode(self, pixels):
        means = torch.nn.functional.avg_pool2d(pixels, 8)
        latents = torch.einsum("cd,bdhw->bchw", self.mix, means) + 0.1
        return type("Encoded", (), {"latents": latents})


def test_the_latent_map_gives_colours_back(engine, folders, monkeypatch):
    model = loaded(engine, folders, "sd15")
    monkeypatch.setattr(model.pipeline, "vae", LinearAutoencoder())
    latent_map = fit_latent_map(model)
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    (image,) = paint(encode_latents(model, red), latent_map)
    colour = pixels([image]).mean(axis=(0, 1, 2))
    assert np.allclose(colour, (255, 0, 0), atol=6)


def test_packed_flux_latents_unpack_as_the_pipeline_does(engine, folders):
    model = loaded(engine, folders, "flux")
    packed = torch.randn(2, 4 * 6, 64)
    ours = unpack(model, packed, 64, 96)
    theirs = model.pipeline._unpack_latents(packed, 64, 96, 8)
    assert torch.equal(ours, theirs)


def test_the_tap_keeps_the_signature_that_pipelines_inspect():
    noise = noise_config("sd15", {})
    scheduler = make_scheduler("sd15", "euler_a", noise, 4)
    StepTap(scheduler, [])
    assert "generator" in inspect.signature(scheduler.step).parameters
