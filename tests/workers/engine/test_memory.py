"""Memory is known and respected: LRU within a budget, halving once, clear failure."""

import os
import shutil
import threading

import pytest
import torch

from tests.workers.engine.conftest import Watcher, make_spec, run
from workers.engine import decoding, memory, passes
from workers.engine.engine import Engine
from workers.engine.errors import DeviceLost, OutOfMemory
from workers.engine.facts import inspect_model
from workers.engine.memory import Residency


def fail_above(monkeypatch, model_calls, limit, error=None):
    """Make the steps run out of memory for more than `limit` pictures at once."""
    real = passes.denoise_batch

    def denoise(model, spec, seeds, *rest):
        model_calls.append(len(seeds))
        if len(seeds) > limit:
            raise error or torch.OutOfMemoryError("CUDA out of memory")
        return real(model, spec, seeds, *rest)

    monkeypatch.setattr(passes, "denoise_batch", denoise)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_out_of_memory_halves_the_batch_once(engine, folders, monkeypatch, error):
    calls, watcher = [], Watcher()
    fail_above(monkeypatch, calls, 2, error)
    spec = make_spec(folders["sd15"], "sd15", seeds=(1, 2, 3), steps=4)
    result = run(engine, spec, watcher)
    assert calls == [3, 2, 1]
    assert result.batch_sizes == (2, 2, 1)
    assert [note.code for note in result.notes] == ["batch_halved"]
    assert result.record["batch_sizes"] == [2, 2, 1]
    done = [step for step, _ in watcher.steps]
    assert done == sorted(done)
    assert done[-1] == 4


def test_pictures_of_a_halved_batch_are_those_of_its_halves(
    engine, folders, monkeypatch
):
    folder = folders["sd15"]
    halves = [(1, 2), (3, 4)]
    expected = [
        image.tobytes()
        for seeds in halves
        for image in run(engine, make_spec(folder, "sd15", seeds=seeds)).images
    ]
    fail_above(monkeypatch, [], 2)
    result = run(engine, make_spec(folder, "sd15", seeds=(1, 2, 3, 4)))
    assert [image.tobytes() for image in result.images] == expected


def test_out_of_memory_in_a_half_fails_the_pass(engine, folders, monkeypatch):
    calls = []
    fail_above(monkeypatch, calls, 1)
    with pytest.raises(OutOfMemory) as failure:
        run(engine, make_spec(folders["sd15"], "sd15", seeds=(1, 2, 3, 4)))
    assert calls == [4, 2]
    assert failure.value.code == "out_of_memory"
    assert failure.value.permanent


def test_one_picture_is_tried_again_only_when_that_freed_memory(folders, monkeypatch):
    engine = Engine("cpu")
    calls = []
    run(engine, make_spec(folders["sd21"], "sd21"))
    fail_above(monkeypatch, calls, 0)
    spec = make_spec(folders["sd15"], "sd15")
    for expected in ([1, 1], [1, 1, 1]):
        with pytest.raises(OutOfMemory):
            run(engine, spec)
        assert calls == expected
    assert engine.memory().models == 1


def test_a_decoder_short_of_memory_decodes_one_by_one(engine, folders, monkeypatch):
    spec = make_spec(folders["sd15"], "sd15", seeds=(1, 2))
    expected = [image.size for image in run(engine, spec).images]
    real, calls = decoding.decode_latents, []

    def decode(model, latents, *rest):
        calls.append(len(latents))
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, latents, *rest)

    monkeypatch.setattr(passes, "decode_latents", decode)
    assert [image.size for image in run(engine, spec).images] == expected
    assert calls == [2, 1, 1]


def test_the_engine_works_on_after_running_out_of_memory(engine, folders, monkeypatch):
    spec = make_spec(folders["sd15"], "sd15")
    with monkeypatch.context() as patched:
        fail_above(patched, [], 0)
        with pytest.raises(OutOfMemory):
            run(engine, spec)
    assert run(engine, spec).images[0] is not None


def test_a_broken_context_asks_for_a_new_process(engine, folders, monkeypatch):
    error = torch.AcceleratorError("CUDA error: an illegal memory access")
    fail_above(monkeypatch, [], 0, error)
    with pytest.raises(DeviceLost) as lost:
        run(engine, make_spec(folders["sd15"], "sd15"))
    assert not lost.value.permanent


def test_the_model_used_longest_ago_leaves_first(folders):
    sizes = {
        base: inspect_model(folders[base]).weight_bytes
        for base in ("sd15", "sd21", "flux")
    }
    # Room for any two of them, never for all three.
    engine = Engine("cpu", sum(sizes.values()) - 1, precision=torch.float32)

    def phases(base):
        watcher = Watcher()
        run(engine, make_spec(folders[base], base, steps=1), watcher)
        return len(watcher.phases)

    loaded, resident = 3, 2
    assert [phases(b) for b in ("sd15", "sd21", "sd15")] == [loaded, loaded, resident]
    assert phases("flux") == loaded  # sd21 leaves, sd15 was used later
    assert phases("sd15") == resident
    assert phases("sd21") == loaded
    facts = engine.memory()
    assert facts.used <= facts.budget
    assert facts.models == 2


def test_a_model_larger_than_the_budget_is_refused_on_a_processor(folders):
    engine = Engine("cpu", 1_000_000)
    with pytest.raises(OutOfMemory) as failure:
        run(engine, make_spec(folders["sd15"], "sd15"))
    assert failure.value.code == "model_too_large"
    assert engine.memory().models == 0


def test_resident_bytes_are_those_of_the_weights(folders):
    engine = Engine("cpu", precision=torch.float32)
    run(engine, make_spec(folders["sdxl"], "sdxl", steps=1))
    pipeline = engine._residency._models.popitem()[1].value.pipeline
    held = sum(
        parameter.nbytes
        for part in pipeline.components.values()
        if isinstance(part, torch.nn.Module)
        for parameter in part.parameters()
    )
    assert inspect_model(folders["sdxl"]).weight_bytes == held


def test_a_model_in_use_is_never_dropped():
    residency = Residency(10)
    residency.load("first", 6, lambda: "a")
    with residency.using("first"):
        with pytest.raises(OutOfMemory):
            residency.load("second", 6, lambda: "b")
        assert residency.drop_all() == 0
    assert residency.load("second", 6, lambda: "b") == "b"
    assert residency.get("first") is None


def test_decoding_may_run_beside_the_steps_of_the_next_pass(engine, folders):
    quiet = {
        "on_phase": lambda phase: None,
        "on_step": lambda done, total: None,
        "should_stop": lambda: None,
    }
    specs = [make_spec(folders["sd15"], "sd15", seeds=(s,)) for s in (1, 2)]
    alone = [run(engine, spec).images[0].tobytes() for spec in specs]
    first = engine.denoise(specs[0], **quiet)
    results = []
    thread = threading.Thread(
        target=lambda: results.append(engine.decode(first, on_phase=lambda phase: None))
    )
    thread.start()
    second = engine.run(specs[1], **quiet)
    thread.join()
    assert results[0].images[0].tobytes() == alone[0]
    assert second.images[0].tobytes() == alone[1]


def test_changed_files_are_loaded_anew(folders, tmp_path):
    copy = shutil.copytree(folders["sd15"], tmp_path / "model")
    engine, watcher = Engine("cpu"), Watcher()
    run(engine, make_spec(copy, "sd15", steps=1))
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    os.utime(weights, (1, 1))
    run(engine, make_spec(copy, "sd15", steps=1), watcher)
    assert len(watcher.phases) == 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_failures(error, expected):
    assert memory.is_out_of_memory(error) is expected
