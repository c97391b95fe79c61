"""The GPU's bench runs anywhere in small, and refuses clearly where it cannot."""

from __future__ import annotations

import json

import pytest
import torch

from bench import random_weights, true_size
from bench.cases.true_size import GOALS


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads of tiny layers wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("base", GOALS)
def test_its_logic_runs_with_tiny_models_on_a_processor(base, tmp_path):
    written = tmp_path / "figures.json"
    arguments = [base, "--tiny", "--rounds", "1", "--json", str(written)]
    assert true_size.run(arguments) == 0
    record = json.loads(written.read_text())
    assert [row["goal"] for row in record["ratios"]] == [GOALS[base], ">= 0.97"]
    assert all(row["ours"] > 0 and row["other"] > 0 for row in record["ratios"])
    assert record["machine"]["device"].startswith("cpu ")


def test_without_a_gpu_it_refuses_and_says_why(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert true_size.run(["sd15"]) == 2
    assert "need a CUDA device" in capsys.readouterr().out


def test_a_base_that_it_does_not_know_is_named(capsys):
    with pytest.raises(SystemExit):
        true_size.options(["sd9"])
    assert "no such base: sd9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("base", "part", "millions"),
    [("sd15", "unet", 860), ("sdxl", "unet", 2567), ("flux", "transformer", 11901)],
)
def test_the_weights_have_their_true_number(base, part, millions):
    """Counted without memory: the parts are made on no device."""
    with torch.device("meta"):
        pipeline = random_weights.BUILDERS[base]()
    counted = sum(weight.numel() for weight in getattr(pipeline, part).parameters())
    assert round(counted / 1e6) == millions
