"""Checkpoints built once a session, and a plain way to run a pass."""

from collections import UserDict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.workers.engine import checkpoints, single_files
from workers.engine.engine import Engine
from workers.engine.specs import PassSpec

# diffusers hands torch tensors to NumPy the way NumPy 2 wants changed.
LIBRARY_WARNINGS = (
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    "ignore:__array_wrap__ must accept context:DeprecationWarning",
)


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            for warning in LIBRARY_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


class Lazily(UserDict):
    """Builds a value the first time it is asked for."""

    def __init__(self, build):
        super().__init__()
        self._build = build

    def __missing__(self, key):
        self[key] = self._build(key)
        return self[key]


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Diffusers-format folders by base, plus flux without distilled guidance."""
    root = tmp_path_factory.mktemp("checkpoints")

    def build(name):
        if name == "schnell":
            return checkpoints.build("flux", root / name, guided=False)
        return checkpoints.build(name, root / name)

    return Lazily(build)


@pytest.fixture(scope="session")
def files(folders, tmp_path_factory):
    """Single files by layout: a base's own, and both of flux's."""
    root = tmp_path_factory.mktemp("files")

    def build(name):
        target = root / f"{name}.safetensors"
        if name == "flux_bfl":
            return single_files.flux_bfl(folders["flux"], target)
        if name == "flux_comfy":
            prefix = "model.diffusion_model."
            return single_files.flux_bfl(folders["schnell"], target, prefix)
        if name == "flux_diffusers":
            return single_files.flux_diffusers(folders["flux"], target)
        return single_files.stable_diffusion(name, folders[name], target)

    return Lazily(build)


@pytest.fixture(scope="session")
def engine(folders):
    bases = ("sd15", "sd21", "sdxl", "flux")
    return Engine("cpu", companions={base: folders[base] for base in bases})


@dataclass
class Watcher:
    """Records what a pass tells, and stops it after a number of steps."""

    stop_after: int | None = None
    phases: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    previews: list = field(default_factory=list)

    def callbacks(self, *, previews=False):
        calls = {
            "on_phase": self.phases.append,
            "on_step": lambda done, total: self.steps.append((done, total)),
            "should_stop": self._stop,
        }
        if previews:
            calls["on_preview"] = lambda index, data: self.previews.append(
                (index, data)
            )
        return calls

    def _stop(self):
        done = self.steps[-1][0] if self.steps else 0
        if self.stop_after is not None and done >= self.stop_after:
            return "cancelled"
        return None


@pytest.fixture
def watcher():
    return Watcher()


def make_spec(model, base, **over):
    values = {
        "prompt": "a red star above a blue house",
        "width": 64,
        "height": 64,
        "steps": 3,
        "cfg_scale": 4.0,
        "sampler": "euler",
        "seeds": (11,),
        **over,
    }
    return PassSpec(model=model, base=base, **values)


def run(engine, spec, watcher=None, *, previews=False):
    watcher = watcher or Watcher()
    return engine.run(spec, **watcher.callbacks(previews=previews))
