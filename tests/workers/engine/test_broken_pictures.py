"""NaN and blackness are failures, not pictures."""

import pytest
import torch

from tests.workers.engine.conftest import make_spec, run
from workers.engine import passes
from workers.engine.errors import BrokenPicture


def spoil(monkeypatch, name, change):
    real = getattr(passes, name)

    def spoiled(*arguments):
        outcome = real(*arguments)
        tensor = outcome[0] if isinstance(outcome, tuple) else outcome
        with torch.inference_mode():
            change(tensor)
        return outcome

    monkeypatch.setattr(passes, name, spoiled)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("stage", ["denoise_batch", "decode_latents"])
def test_nan_and_infinity_fail_the_pass(engine, folders, monkeypatch, stage, value):
    def change(tensor):
        tensor.view(-1)[7] = value

    spoil(monkeypatch, stage, change)
    with pytest.raises(BrokenPicture) as broken:
        run(engine, make_spec(folders["sd15"], "sd15"))
    assert broken.value.code == "broken_picture"
    assert broken.value.indexes == (0,)
    assert broken.value.good is None


def test_a_black_picture_fails_the_pass(engine, folders, monkeypatch):
    spoil(monkeypatch, "decode_latents", lambda pixels: pixels.fill_(-1.0))
    with pytest.raises(BrokenPicture):
        run(engine, make_spec(folders["sd15"], "sd15"))


def test_a_dark_picture_is_a_picture(engine, folders, monkeypatch):
    def nearly(pixels):
        pixels.fill_(-1.0)
        pixels[:, :, 3, 3] = -0.9

    spoil(monkeypatch, "decode_latents", nearly)
    assert run(engine, make_spec(folders["sd15"], "sd15")).images[0] is not None


def test_one_broken_picture_leaves_its_neighbours_sound(engine, folders, monkeypatch):
    spec = make_spec(folders["sd15"], "sd15", seeds=(1, 2, 3))
    whole = run(engine, spec)

    def second(latents):
        latents[1] = torch.nan

    spoil(monkeypatch, "denoise_batch", second)
    with pytest.raises(BrokenPicture) as broken:
        run(engine, spec)
    assert broken.value.indexes == (1,)
    good = broken.value.good
    assert good.images[1] is None
    assert good.images[0].tobytes() == whole.images[0].tobytes()
    assert good.images[2].tobytes() == whole.images[2].tobytes()
    assert good.batch_sizes == (3, 3, 3)
