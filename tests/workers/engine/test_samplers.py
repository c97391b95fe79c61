"""Sampler names, and schedulers that suit each base."""

import numpy as np
import pytest

from tests.workers.engine.conftest import make_spec, run
from tests.workers.engine.plain import pictures, pixels
from workers.engine.samplers import make_scheduler, noise_config, sampler_names

USUAL = {
    "euler_a", "euler", "heun", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde",
    "dpmpp_sde", "ddim", "unipc", "lms", "lcm",
}  # fmt: skip


@pytest.mark.parametrize("base", ["sd15", "sd21", "sdxl"])
def test_diffusion_bases_know_the_usual_names(base):
    assert set(sampler_names(base)) >= USUAL


def test_flux_knows_only_samplers_of_flows():
    assert set(sampler_names("flux")) == {
        "euler", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm",
    }  # fmt: skip
    assert sampler_names("sd3") == ()


@pytest.mark.parametrize("sampler", sampler_names("flux"))
def test_every_flux_sampler_draws_the_plain_picture(engine, folders, sampler):
    spec = make_spec(folders["flux"], "flux", sampler=sampler, width=96)
    drawn = pixels(run(engine, spec).images)
    assert drawn.std() > 5
    assert np.array_equal(drawn, pictures(folders["flux"], spec))


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "unipc"])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_fixed_shift_holds_for_every_flux_sampler(sampler, shift):
    """The solvers take mu from the pipeline, where euler takes the shift itself."""
    saved = {"num_train_timesteps": 1000, "shift": shift}
    scheduler = make_scheduler("flux", sampler, noise_config("flux", saved), 4)
    mu = scheduler.config.base_shift
    assert scheduler.config.max_shift == mu
    scheduler.set_timesteps(4, mu=mu)
    sigma = scheduler.sigmas[1].item()
    euler = make_scheduler("flux", "euler", noise_config("flux", saved), 4)
    euler.set_timesteps(sigmas=np.linspace(1, 1 / 4, 4))
    # The solvers spread their steps from one full step above: compare the curves.
    raw = 1 - 1 / 4
    assert euler.sigmas[1].item() == pytest.approx(shifted(raw, shift), abs=1e-3)
    assert sigma == pytest.approx(shifted(raw, shift), abs=2e-3)


def shifted(sigma, shift):
    return shift * sigma / (1 + (shift - 1) * sigma)


def test_every_picture_gets_a_scheduler_of_its_own():
    noise = noise_config("sd15", {})
    first, second = (make_scheduler("sd15", "lms", noise, 4) for _ in "ab")
    assert first is not second
    assert first.derivatives is not second.derivatives


def test_what_a_checkpoint_says_of_its_noise_reaches_every_sampler():
    saved = {
        "_class_name": "DDIMScheduler",
        "beta_start": 0.001,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "prediction_type": "v_prediction",
        "clip_sample": True,
        "steps_offset": 0,
    }
    for sampler in sampler_names("sd21"):
        config = make_scheduler("sd21", sampler, noise_config("sd21", saved), 9).config
        assert config.beta_end == 0.02
        assert config.beta_schedule == "linear"
        assert config.prediction_type == "v_prediction"
        assert not config.get("clip_sample", False)


def test_lcm_takes_more_steps_than_its_own_default_allows():
    scheduler = make_scheduler("sd15", "lcm", noise_config("sd15", {}), 120)
    scheduler.set_timesteps(120)
    assert len(scheduler.timesteps) == 120
