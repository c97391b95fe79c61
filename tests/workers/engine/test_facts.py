"""A checkpoint's base, format, size and digest, told without loading it."""

import hashlib
import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file

from tests.workers.engine.conftest import make_spec, run
from workers.engine.blueprints import noise_facts
from workers.engine.engine import Engine
from workers.engine.facts import inspect_model
from workers.engine.loading import measure_prediction
from workers.engine.single_files import read_single_file

FILES = {
    "sd15": "sd15",
    "sd21": "sd21",
    "sdxl": "sdxl",
    "flux_bfl": "flux",
    "flux_comfy": "flux",
    "flux_diffusers": "flux",
}


@pytest.mark.parametrize("base", ["sd15", "sd21", "sdxl", "flux"])
def test_a_folder_is_recognised(folders, base):
    facts = inspect_model(folders[base])
    weights = list(folders[base].rglob("*.safetensors"))
    counted = sum(t.numel() for file in weights for t in load_file(file).values())
    assert (facts.base, facts.format, facts.needs) == (base, "diffusers", ())
    assert facts.parameters == counted
    assert facts.file_size > sum(file.stat().st_size for file in weights)


SIDES = {"sd15": 512, "sd21": 768, "sdxl": 1024, "flux": 1024}


@pytest.mark.parametrize("base", SIDES)
def test_a_folder_says_what_it_was_trained_on(folders, base):
    assert inspect_model(folders[base]).native_side == SIDES[base]


@pytest.mark.parametrize("name", FILES)
def test_a_single_file_tells_its_side_by_its_base(files, name):
    assert inspect_model(files[name]).native_side == SIDES[FILES[name]]


def test_the_noise_version_of_the_second_generation_is_smaller(files, tmp_path):
    stated = tmp_path / "base.safetensors"
    said = {"modelspec.prediction_type": "epsilon"}
    tensors = {n: t for n, t in load_file(files["sd21"]).items() if n != "v_pred"}
    save_file(tensors, stated, said)
    assert inspect_model(stated).native_side == 512


def test_the_starter_model_was_trained_on_its_own_scenes():
    weights = Path(__file__).parents[3] / "workers/starter/weights"
    assert inspect_model(weights).native_side == 128


@pytest.mark.parametrize("sample", [None, "64", [], 5, 4096, 2.5, True])
def test_a_side_that_makes_no_sense_is_no_side(folders, tmp_path, sample):
    copy = shutil.copytree(folders["sd15"], tmp_path / "model")
    path = copy / "unet" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"sample_size": sample}))
    assert inspect_model(copy).native_side is None


@pytest.mark.parametrize("name", FILES)
def test_a_single_file_is_recognised(files, name):
    facts = inspect_model(files[name])
    data = files[name].read_bytes()
    assert (facts.base, facts.format) == (FILES[name], "single_file")
    assert facts.file_size == len(data)
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert "tokenizer" in facts.needs


def test_a_folders_digest_is_what_sha256sum_would_say(folders):
    folder = folders["sd15"]
    listed = [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    lines = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in listed
    )
    expected = hashlib.sha256(lines.encode()).hexdigest()
    assert inspect_model(folder).sha256 == expected


def test_any_changed_byte_changes_a_folders_digest(folders, tmp_path):
    copy = shutil.copytree(folders["sd15"], tmp_path / "model")
    assert inspect_model(copy).sha256 == inspect_model(folders["sd15"]).sha256
    (copy / "README.md").write_text("does not count")
    assert inspect_model(copy).sha256 == inspect_model(folders["sd15"]).sha256
    config = copy / "vae" / "config.json"
    config.write_text(config.read_text() + " ")
    assert inspect_model(copy).sha256 != inspect_model(folders["sd15"]).sha256


@pytest.mark.parametrize(
    ("width", "linear", "base"),
    [(768, False, "sd15"), (1024, True, "sd21"), (96, False, "sd15")],
)
def test_the_first_and_second_generation_are_told_apart(
    folders, tmp_path, width, linear, base
):
    copy = shutil.copytree(folders["sd15"], tmp_path / "model")
    path = copy / "unet" / "config.json"
    config = json.loads(path.read_text())
    config |= {"cross_attention_dim": width, "use_linear_projection": linear}
    path.write_text(json.dumps(config))
    assert inspect_model(copy).base == base


def test_half_precision_variants_and_shards_are_loaded(folders, tmp_path):
    copy = shutil.copytree(folders["sd15"], tmp_path / "model")
    unet = copy / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(unet)
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    weight_map = {n: file for file, listed in parts.items() for n in listed}
    for file, listed in parts.items():
        save_file({n: tensors[n] for n in listed}, unet.with_name(file))
    unet.unlink()
    index = unet.with_name(f"{unet.name}.index.json")
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    text = copy / "text_encoder" / "model.safetensors"
    half = {n: t.half() for n, t in load_file(text).items()}
    save_file(half, text.with_name("model.fp16.safetensors"), {"format": "pt"})
    text.unlink()
    result = run(Engine("cpu"), make_spec(copy, "sd15"))
    assert result.images[0].size == (64, 64)


def test_a_tiny_autoencoder_of_other_shape_loads_as_sd15(folders, tmp_path):
    """Sixteen pixels a cell and other channels, as small models have them."""
    copy = shutil.copytree(folders["sd15"], tmp_path / "model")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        vae = AutoencoderTiny(
            latent_channels=4,
            encoder_block_out_channels=(16,) * 5,
            decoder_block_out_channels=(16,) * 5,
            num_encoder_blocks=(1,) * 5,
            num_decoder_blocks=(1,) * 5,
        )
    shutil.rmtree(copy / "vae")
    vae.save_pretrained(copy / "vae")
    index = json.loads((copy / "model_index.json").read_text())
    index["vae"] = ["diffusers", "AutoencoderTiny"]
    (copy / "model_index.json").write_text(json.dumps(index))
    spec = make_spec(copy, "sd15", width=128, height=64)
    previews = []
    result = Engine("cpu").run(
        spec,
        on_phase=lambda phase: None,
        on_step=lambda done, total: None,
        should_stop=lambda: None,
        on_preview=lambda index, data: previews.append(data),
    )
    assert result.images[0].size == (128, 64)
    assert previews


def test_a_velocity_model_says_so_in_its_file(files, tmp_path):
    assert noise_facts(read_single_file(files["sd21"]))["prediction_type"] == (
        "v_prediction"
    )
    tensors = load_file(files["sdxl"])
    marked = tmp_path / "model.safetensors"
    save_file(tensors | {"v_pred": torch.zeros(1), "ztsnr": torch.zeros(1)}, marked)
    noise = noise_facts(read_single_file(marked))
    assert noise["prediction_type"] == "v_prediction"
    assert noise["rescale_betas_zero_snr"]
    plain = noise_facts(read_single_file(files["sdxl"]))
    assert plain["prediction_type"] == "epsilon"


class FakeUnet(torch.nn.Module):
    """Answers as a trained model would at the last training step."""

    dtype = torch.float32
    device = torch.device("cpu")
    config = type("Config", (), {"in_channels": 4, "cross_attention_dim": 8})

    def __init__(self, answer):
        super().__init__()
        self._answer = answer

    def forward(self, noise, timestep, encoder_hidden_states):
        return type("Output", (), {"sample": self._answer(noise)})


def test_a_silent_file_is_asked_what_it_predicts():
    smooth = torch.linspace(-1, 1, 64).expand(1, 4, 64, 64)
    assert measure_prediction(FakeUnet(lambda x: 0.98 * x)) == "epsilon"
    assert measure_prediction(FakeUnet(lambda x: 0.07 * x - smooth)) == "v_prediction"


def test_loading_reaches_for_no_network(folders, files, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    engine = Engine("cpu", companions={"sd15": folders["sd15"]})
    for path in (folders["sd15"], files["sd15"]):
        assert run(engine, make_spec(path, "sd15", steps=1)).images[0] is not None
