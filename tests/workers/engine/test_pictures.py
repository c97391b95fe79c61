"""The engine draws what a plain diffusers call draws, element by element."""

import numpy as np
import pytest

from tests.workers.engine.conftest import make_spec, run
from tests.workers.engine.plain import SCHEDULERS, pictures, pixels
from workers.engine.engine import Engine
from workers.engine.samplers import sampler_names

BASES = ("sd15", "sd21", "sdxl", "flux")
TWO_SAMPLERS = {
    "sd15": ("euler_a", "dpmpp_2m_karras"),
    "sd21": ("euler", "ddim"),
    "sdxl": ("ddim", "dpmpp_2m_sde"),
    "flux": ("euler", "dpmpp_2m"),
}
SINGLE_FILES = {
    "sd15": ("sd15",),
    "sd21": ("sd21",),
    "sdxl": ("sdxl",),
    "flux": ("flux_bfl", "flux_diffusers"),
}


def assert_same(engine, folder, spec):
    drawn = pixels(run(engine, spec).images)
    expected = pictures(folder, spec)
    assert drawn.std() > 5, "a flat picture would prove nothing"
    assert np.array_equal(drawn, expected), np.abs(drawn - expected).max()


@pytest.mark.parametrize(
    ("base", "sampler"), [(b, s) for b in BASES for s in TWO_SAMPLERS[b]]
)
def test_a_folder_of_each_base_draws_the_plain_picture(engine, folders, base, sampler):
    folder = folders[base]
    spec = make_spec(folder, base, sampler=sampler, negative_prompt="blurry")
    assert_same(engine, folder, spec)


@pytest.mark.parametrize(
    ("base", "name", "sampler"),
    [(b, f, s) for b in BASES for f in SINGLE_FILES[b] for s in TWO_SAMPLERS[b]],
)
def test_a_single_file_of_each_base_draws_the_plain_picture(
    engine, folders, files, base, name, sampler
):
    spec = make_spec(files[name], base, sampler=sampler, negative_prompt="blurry")
    assert_same(engine, folders[base], spec)


@pytest.mark.parametrize("sampler", sampler_names("sd15"))
def test_every_sampler_draws_the_plain_picture(engine, folders, sampler):
    spec = make_spec(folders["sd15"], "sd15", sampler=sampler, steps=4)
    assert_same(engine, folders["sd15"], spec)


def test_the_plain_table_knows_every_sampler():
    assert set(SCHEDULERS) == set(sampler_names("sd15"))


@pytest.mark.parametrize("sampler", sampler_names("sd15"))
def test_every_sampler_runs_a_single_step(engine, folders, sampler):
    spec = make_spec(folders["sd15"], "sd15", sampler=sampler, steps=1, width=32)
    assert run(engine, spec).images[0].size == (32, 64)


@pytest.mark.parametrize("base", BASES)
def test_no_guidance_draws_the_unguided_picture(engine, folders, base):
    spec = make_spec(folders[base], base, cfg_scale=None)
    assert_same(engine, folders[base], spec)


@pytest.mark.parametrize("base", BASES)
def test_a_batch_in_one_pass_draws_the_plain_batch(engine, folders, base):
    sampler = TWO_SAMPLERS[base][0]
    spec = make_spec(folders[base], base, seeds=(3, 1, 2), sampler=sampler)
    assert_same(engine, folders[base], spec)
    assert run(engine, spec).batch_sizes == (3, 3, 3)


def test_portrait_and_landscape_keep_their_sides(engine, folders):
    for base in ("sd15", "flux"):
        spec = make_spec(folders[base], base, width=96, height=32)
        assert_same(engine, folders[base], spec)


def test_a_flux_file_without_distilled_guidance_is_guided_the_classical_way(
    folders, files
):
    engine = Engine("cpu", companions={"flux": folders["schnell"]})
    spec = make_spec(files["flux_comfy"], "flux", cfg_scale=3.0)
    free = make_spec(files["flux_comfy"], "flux", cfg_scale=None)
    result = run(engine, spec)
    guided, unguided = pixels(result.images), pixels(run(engine, free).images)
    assert np.abs(guided - unguided).max() > 0
    assert result.notes == ()
    assert np.array_equal(unguided, pictures(folders["schnell"], free))


def test_the_negative_prompt_changes_a_guided_picture(engine, folders):
    with_it = make_spec(folders["sd15"], "sd15", negative_prompt="fish")
    without = make_spec(folders["sd15"], "sd15")
    first, second = (pixels(run(engine, s).images) for s in (with_it, without))
    assert np.abs(first - second).max() > 0


def test_a_negative_prompt_without_guidance_is_reported_as_ignored(engine, folders):
    spec = make_spec(folders["sd15"], "sd15", cfg_scale=None, negative_prompt="fish")
    assert [note.code for note in run(engine, spec).notes] == [
        "negative_prompt_ignored"
    ]


@pytest.mark.parametrize(
    ("base", "sampler"),
    [
        ("sd15", "euler_a"),
        ("sd15", "dpmpp_sde"),
        ("sdxl", "heun"),
        ("flux", "lcm"),
        ("flux", "dpmpp_2m_sde"),
    ],
)
def test_the_same_job_gives_the_same_bytes_whatever_ran_between(
    engine, folders, base, sampler
):
    spec = make_spec(folders[base], base, sampler=sampler)
    first = run(engine, spec).images[0].tobytes()
    run(engine, make_spec(folders["sd15"], "sd15", seeds=(5, 6)))
    assert run(engine, spec).images[0].tobytes() == first
    engine.unload()
    assert run(engine, spec).images[0].tobytes() == first


def test_another_seed_gives_another_picture(engine, folders):
    specs = [make_spec(folders["sd15"], "sd15", seeds=(s,)) for s in (1, 2)]
    first, second = (run(engine, spec).images[0].tobytes() for spec in specs)
    assert first != second
