"""What cannot be loaded safely is refused with a reason, before it is loaded."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.workers.engine.conftest import make_spec, run
from workers.engine.engine import Engine
from workers.engine.errors import ModelRefused, SpecRefused
from workers.engine.facts import inspect_model

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def copy(folders, tmp_path):
    return shutil.copytree(folders["sd15"], tmp_path / "model")


@pytest.fixture
def ldm(files):
    return load_file(files["sd15"])


def refusal(path):
    with pytest.raises(ModelRefused) as refused:
        inspect_model(path)
    assert refused.value.permanent
    assert refused.value.reason
    return refused.value.code


def rewrite(path, **changes):
    config = json.loads(path.read_text())
    config.update(changes)
    path.write_text(json.dumps(config))


class Payload:
    """Leaves a trace when something unpickles it."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


def test_pickled_weights_are_refused_and_never_opened(copy, tmp_path):
    trace = tmp_path / "trace"
    (copy / UNET).unlink()
    (copy / "unet/diffusion_pytorch_model.bin").write_bytes(
        pickle.dumps(Payload(trace))
    )
    assert refusal(copy) == "pickle_weights"
    assert not trace.exists()


def test_a_pickle_beside_safetensors_is_never_opened(copy, tmp_path):
    trace = tmp_path / "trace"
    for name in ("unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"):
        (copy / name).write_bytes(pickle.dumps(Payload(trace)))
    run(Engine("cpu"), make_spec(copy, "sd15", steps=1))
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".bin", ""])
def test_single_files_other_than_safetensors_are_refused(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps({"state_dict": {}}))
    assert refusal(path) == "pickle_weights"


def test_a_pickle_that_calls_itself_safetensors_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    torch.save({"state_dict": {"a": torch.zeros(3)}}, path)
    assert refusal(path) == "damaged_file"


@pytest.mark.parametrize("keep", [0, 5, 9, 400, -1, -4000])
def test_a_truncated_file_is_refused(files, tmp_path, keep):
    path = tmp_path / "model.safetensors"
    path.write_bytes(files["sd15"].read_bytes()[:keep])
    assert refusal(path) in ("truncated_file", "damaged_file")


def test_a_truncated_file_in_a_folder_is_refused(copy):
    data = (copy / UNET).read_bytes()
    (copy / UNET).write_bytes(data[:-1])
    assert refusal(copy) == "truncated_file"


def header_of(entries, data=b""):
    raw = json.dumps(entries).encode()
    return len(raw).to_bytes(8, "little") + raw + data


BAD_HEADERS = {
    "overlap": {
        "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]},
    },
    "gap": {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
    "size": {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
    "negative": {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}},
    "dtype": {"a": {"dtype": "OBJ", "shape": [1], "data_offsets": [0, 4]}},
    "boolean": {"a": {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}},
    "list": [1, 2],
    "metadata": {"__metadata__": {"a": 1}},
    "rest": {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_malformed_header_is_refused(tmp_path, name):
    path = tmp_path / "model.safetensors"
    path.write_bytes(header_of(BAD_HEADERS[name], bytes(8)))
    assert refusal(path) == "damaged_file"


def test_a_repeated_tensor_name_is_refused(tmp_path):
    entry = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    raw = f"{{{entry},{entry}}}".encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(4))
    assert refusal(path) == "damaged_file"


def test_an_endless_header_is_refused_unread(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((2**60).to_bytes(8, "little") + b"{}")
    assert refusal(path) == "damaged_file"


@pytest.mark.parametrize(
    "change",
    [
        {"unet": ["custom_unet", "Net"]},
        {"vae": ["os", "system"]},
        {"unet": ["diffusers", "subprocess"]},
    ],
)
def test_components_of_unknown_origin_are_refused(copy, change):
    rewrite(copy / "model_index.json", **change)
    assert refusal(copy) in ("remote_code", "unsupported_component")


def test_code_in_a_folder_is_refused(copy):
    (copy / "unet" / "net.py").write_text("raise SystemExit")
    assert refusal(copy) == "remote_code"


@pytest.mark.parametrize(
    "place", ["unet/config.json", "tokenizer/tokenizer_config.json", "model_index.json"]
)
def test_a_configuration_that_maps_to_code_is_refused(copy, place):
    rewrite(copy / place, auto_map={"AutoModel": "net.Net"})
    assert refusal(copy) == "remote_code"


@pytest.mark.parametrize(
    ("pipeline", "code"),
    [
        ("StableDiffusion3Pipeline", "unsupported_pipeline"),
        ("StableDiffusionInpaintPipeline", "unsupported_pipeline"),
        (["pipeline", "Custom"], "unsupported_pipeline"),
        (None, "unsupported_pipeline"),
    ],
)
def test_other_pipelines_are_refused(copy, pipeline, code):
    rewrite(copy / "model_index.json", _class_name=pipeline)
    assert refusal(copy) == code


def test_an_inpainting_unet_is_refused(copy):
    rewrite(copy / "unet/config.json", in_channels=9)
    tensors = load_file(copy / UNET)
    tensors["conv_in.weight"] = torch.zeros(32, 9, 3, 3)
    save_file(tensors, copy / UNET)
    assert refusal(copy) == "unsupported_variant"


def test_a_configuration_that_does_not_fit_its_tensors_is_refused(copy):
    rewrite(copy / "unet/config.json", in_channels=9)
    assert refusal(copy) == "weights_mismatch"


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_missing_tensor_is_refused_when_the_model_is_loaded(copy, part):
    (file,) = (copy / part).glob("*.safetensors")
    tensors = load_file(file)
    tensors.pop(sorted(tensors)[-1])
    save_file(tensors, file)
    with pytest.raises(ModelRefused) as refused:
        run(Engine("cpu"), make_spec(copy, "sd15"))
    assert refused.value.code == "weights_mismatch"


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.out.2.bias",
        "first_stage_model.decoder.conv_out.bias",
        "cond_stage_model.transformer.text_model.final_layer_norm.bias",
    ],
)
def test_a_single_file_that_lacks_a_tensor_is_refused(ldm, folders, tmp_path, name):
    del ldm[name]
    path = tmp_path / "model.safetensors"
    save_file(ldm, path)
    engine = Engine("cpu", companions={"sd15": folders["sd15"]})
    with pytest.raises(ModelRefused) as refused:
        run(engine, make_spec(path, "sd15"))
    assert refused.value.code == "weights_mismatch"
    assert engine.memory().models == 0


def test_an_incomplete_single_file_is_refused(ldm, tmp_path):
    path = tmp_path / "unet.safetensors"
    save_file({k: v for k, v in ldm.items() if k.startswith("model.")}, path)
    assert refusal(path) == "incomplete_checkpoint"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("lora_unet_down.lora_up.weight", "unsupported_architecture"),
        ("control_model.input_blocks.0.0.weight", "unsupported_architecture"),
        ("model.diffusion_model.joint_blocks.0.x", "unsupported_architecture"),
        ("double_blocks.0.img_attn.qkv.weight.absmax", "unsupported_variant"),
        ("anything.weight", "unsupported_architecture"),
    ],
)
def test_other_single_files_are_refused(tmp_path, name, code):
    path = tmp_path / "model.safetensors"
    save_file({name: torch.zeros(1)}, path)
    assert refusal(path) == code


def test_missing_paths_and_parts_are_refused(copy, tmp_path):
    assert refusal(tmp_path / "nothing") == "model_missing"
    shutil.rmtree(copy / "tokenizer")
    assert refusal(copy) == "component_missing"
    (copy / "model_index.json").unlink()
    assert refusal(copy) == "config_missing"


def test_an_index_that_points_outside_is_refused(copy):
    weights = copy / UNET
    outside = copy.parent / "outside.safetensors"
    weights.rename(outside)
    index = {"weight_map": {"conv_in.weight": "../../outside.safetensors"}}
    (copy / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(
        json.dumps(index)
    )
    assert refusal(copy) == "damaged_file"


def test_a_single_file_without_a_companion_says_what_it_needs(files):
    with pytest.raises(ModelRefused) as refused:
        run(Engine("cpu"), make_spec(files["sdxl"], "sdxl"))
    assert refused.value.code == "companion_missing"
    assert "tokenizer, tokenizer_2" in refused.value.reason


def test_the_wrong_base_is_refused(engine, folders):
    for _ in ("not loaded yet", "already loaded"):
        with pytest.raises(ModelRefused) as refused:
            run(engine, make_spec(folders["sd15"], "sd21"))
        assert refused.value.code == "wrong_base"
        run(engine, make_spec(folders["sd15"], "sd15", steps=1))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sampler": "euler_z"}, "unknown_sampler"),
        ({"steps": 0}, "invalid_steps"),
        ({"steps": 151}, "invalid_steps"),
        ({"width": 60}, "invalid_size"),
        ({"height": 0}, "invalid_size"),
        ({"cfg_scale": 0.5}, "invalid_guidance"),
        ({"cfg_scale": float("nan")}, "invalid_guidance"),
        ({"seeds": ()}, "invalid_seeds"),
        ({"seeds": tuple(range(9))}, "invalid_seeds"),
        ({"seeds": (-1,)}, "invalid_seeds"),
        ({"seeds": (2**32,)}, "invalid_seeds"),
    ],
)
def test_impossible_requests_are_refused(engine, folders, change, code):
    with pytest.raises(SpecRefused) as refused:
        run(engine, make_spec(folders["sd15"], "sd15", **change))
    assert refused.value.code == code


def test_flux_takes_only_sizes_that_pack_two_by_two(engine, folders):
    with pytest.raises(SpecRefused):
        run(engine, make_spec(folders["flux"], "flux", width=72))
