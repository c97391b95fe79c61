"""The record says what is needed to make the same bytes again."""

import dataclasses
import hashlib
import json

import diffusers
import torch
import transformers

from pingvas.recipe.settings import LARGEST_SEED
from tests.workers.engine.conftest import make_spec, run
from workers.engine.engine import Engine
from workers.engine.facts import inspect_model


def test_a_record_names_model_request_hardware_and_software(engine, folders):
    spec = make_spec(folders["sd15"], "sd15", seeds=(5, 6), sampler="euler_a")
    record = run(engine, spec).record
    assert json.loads(json.dumps(record)) == record
    assert record["model"] == {
        "sha256": inspect_model(folders["sd15"]).sha256,
        "base": "sd15",
        "format": "diffusers",
    }
    assert record["request"]["sampler"] == "euler_a"
    assert record["request"]["scheduler"] == "EulerAncestralDiscreteScheduler"
    assert record["request"]["seeds"] == [5, 6]
    assert record["batch_sizes"] == [2, 2]
    assert record["hardware"]["class"] == engine.device.hardware_class
    assert record["hardware"]["threads"] == torch.get_num_threads()
    assert record["software"]["torch"] == torch.__version__
    assert record["software"]["diffusers"] == diffusers.__version__
    assert record["software"]["transformers"] == transformers.__version__


def test_a_record_is_enough_to_draw_the_same_bytes(folders):
    spec = make_spec(folders["sd15"], "sd15", sampler="dpmpp_2m_sde")
    first = run(Engine("cpu", precision=torch.bfloat16), spec)
    record = first.record
    assert record["hardware"]["dtype"] == "bfloat16"
    again = dataclasses.replace(
        spec,
        seeds=tuple(record["request"]["seeds"]),
        sampler=record["request"]["sampler"],
        steps=record["request"]["steps"],
        cfg_scale=record["request"]["cfg_scale"],
        sha256=record["model"]["sha256"],
    )
    precision = getattr(torch, record["hardware"]["dtype"])
    second = run(Engine("cpu", precision=precision), again)
    assert second.images[0].tobytes() == first.images[0].tobytes()
    assert second.record == record


def test_a_digest_that_the_caller_verified_is_taken_over(folders):
    digest = hashlib.sha256(b"verified before").hexdigest()
    spec = make_spec(folders["sd15"], "sd15", sha256=digest, steps=1)
    assert run(Engine("cpu"), spec).record["model"]["sha256"] == digest


def test_a_single_files_prediction_is_on_record(engine, files):
    record = run(engine, make_spec(files["sd21"], "sd21", steps=1)).record
    assert record["request"]["prediction_type"] == "v_prediction"
    assert record["model"]["format"] == "single_file"


def test_wider_seeds_would_promise_pictures_that_do_not_exist():
    """Why the range ends at 32 bits: the generator keeps no more."""
    low, high = (
        torch.randn(4, generator=torch.Generator("cpu").manual_seed(seed))
        for seed in (7, 7 + LARGEST_SEED + 1)
    )
    assert torch.equal(low, high)
