"""A pass stops between steps and says how far it came."""

import pytest

from tests.workers.engine.conftest import Watcher, make_spec, run
from workers.engine.errors import Stopped
from workers.engine.specs import Phase


@pytest.mark.parametrize("base", ["sd15", "flux"])
def test_a_pass_stops_after_the_step_in_which_it_was_asked(engine, folders, base):
    watcher = Watcher(stop_after=2)
    with pytest.raises(Stopped) as stopped:
        run(engine, make_spec(folders[base], base, steps=6), watcher)
    assert stopped.value.steps_done == 2
    assert stopped.value.reason == "cancelled"
    assert stopped.value.timings.denoising > 0
    assert stopped.value.timings.decoding == 0
    assert watcher.steps == [(1, 6), (2, 6)]
    assert Phase.DECODING not in watcher.phases


def test_a_pass_stopped_before_its_first_step_has_run_none(engine, folders):
    watcher = Watcher(stop_after=0)
    with pytest.raises(Stopped) as stopped:
        run(engine, make_spec(folders["sd15"], "sd15"), watcher)
    assert stopped.value.steps_done == 0
    assert watcher.steps == []


def test_after_a_stop_the_same_job_draws_the_same_picture(engine, folders):
    spec = make_spec(folders["sd15"], "sd15", sampler="dpmpp_2m")
    before = run(engine, spec).images[0].tobytes()
    with pytest.raises(Stopped):
        run(engine, spec, Watcher(stop_after=1))
    assert run(engine, spec).images[0].tobytes() == before


@pytest.mark.parametrize("sampler", ["euler", "heun", "pndm", "dpmpp_sde"])
def test_progress_counts_the_steps_that_the_user_asked_for(
    engine, folders, sampler, watcher
):
    run(engine, make_spec(folders["sd15"], "sd15", sampler=sampler, steps=5), watcher)
    done = [step for step, _ in watcher.steps]
    assert done == sorted(set(done))
    assert done[-1] == 5
    assert {total for _, total in watcher.steps} == {5}


def test_phases_come_in_order_and_loading_only_once(engine, folders):
    engine.unload()
    first, second = Watcher(), Watcher()
    spec = make_spec(folders["sd15"], "sd15")
    result = run(engine, spec, first)
    again = run(engine, spec, second)
    assert first.phases == [Phase.LOADING, Phase.DENOISING, Phase.DECODING]
    assert second.phases == [Phase.DENOISING, Phase.DECODING]
    assert result.timings.loading > 10 * again.timings.loading
    assert result.timings.denoising > 0
    assert result.timings.decoding > 0
