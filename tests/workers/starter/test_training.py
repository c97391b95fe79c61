import json

import pytest
import torch
from torch import nn

from workers.starter import training
from workers.starter.training import AveragedWeights, Run, Schedule, train


def make_run(folder, steps):
    torch.manual_seed(3)
    model = nn.Linear(4, 1)
    return Run(
        name="line",
        folder=folder,
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=0.01),
        average=AveragedWeights(model, decay=0.9),
        schedule=Schedule(rate=0.01, steps=steps),
    )


def go(run, judge=lambda _: {}):
    def loss_of(step):
        inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        return ((run.model(inputs) - inputs.sum(1, keepdim=True)) ** 2).mean()

    train(run, loss_of, judge)
    return run


class PowerCutError(Exception):
    pass


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 10)
    whole = go(make_run(tmp_path / "whole", 40))

    def cut_power(run):
        if run.step == 20:
            raise PowerCutError
        return {}

    with pytest.raises(PowerCutError):
        go(make_run(tmp_path / "stopped", 40), cut_power)
    resumed = go(make_run(tmp_path / "stopped", 40))
    assert resumed.step == 40
    for ours, theirs in zip(resumed.average.values, whole.average.values, strict=True):
        assert torch.equal(ours, theirs)


def test_a_resumed_log_holds_every_step_once(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 20)
    monkeypatch.setattr(training, "LOG_EVERY", 10)
    run = go(make_run(tmp_path, 20))
    run.log({"loss": 1.0, "step": 30})
    go(make_run(tmp_path, 40))
    lines = run.log_file.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20, 30, 40]


def test_training_lowers_the_loss_and_the_average_follows(tmp_path):
    run = go(make_run(tmp_path, 1500))
    averaged = nn.Linear(4, 1)
    run.average.copy_to(averaged)
    assert torch.allclose(averaged.weight, torch.ones(1, 4), atol=0.05)
