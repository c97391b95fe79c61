"""Compilation belongs to the warm-up, never to a user's job."""

import dataclasses

import pytest
import torch

from tests.workers.engine.conftest import Watcher, make_spec, run
from workers.engine import engine as engine_module
from workers.engine.engine import Engine


@pytest.fixture
def stances(monkeypatch):
    """Which stance towards compilation each pass took."""
    taken = []

    class Stance:
        def __init__(self, name):
            taken.append(name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(torch.compiler, "set_stance", Stance)
    return taken


@pytest.fixture
def compiling(folders, monkeypatch):
    """An engine that takes its device for one that compiles, with counted calls."""
    calls = []
    real = engine_module.choose_settings

    def choose(*arguments):
        return dataclasses.replace(real(*arguments), compile_blocks=True)

    def compile_blocks(self, **options):
        calls.append(options)

    monkeypatch.setattr(engine_module, "choose_settings", choose)
    monkeypatch.setattr(
        "diffusers.UNet2DConditionModel.compile_repeated_blocks", compile_blocks
    )
    return Engine("cpu"), calls


def test_only_the_warm_up_compiles(folders, compiling, stances):
    engine, calls = compiling
    engine.warm_up(folders["sd15"], "sd15", [(1, 64, 64), (2, 64, 64)])
    assert calls == [{"fullgraph": True, "dynamic": True}]
    assert stances == ["default", "default"]
    warmed = run(engine, make_spec(folders["sd15"], "sd15"))
    other = run(engine, make_spec(folders["sd15"], "sd15", width=96))
    assert stances[2:] == ["eager_on_recompile", "force_eager"]
    assert len(calls) == 1
    assert warmed.record["hardware"]["compiled"] == [True]
    assert other.record["hardware"]["compiled"] == [False]


def test_without_a_warm_up_nothing_compiles(folders, compiling, stances):
    engine, calls = compiling
    run(engine, make_spec(folders["sd15"], "sd15"))
    assert calls == stances == []


def test_a_warm_up_loads_the_model_before_its_first_job(folders):
    engine, watcher = Engine("cpu"), Watcher()
    engine.warm_up(folders["flux"], "flux", [(1, 64, 64)])
    run(engine, make_spec(folders["flux"], "flux"), watcher)
    assert len(watcher.phases) == 2
