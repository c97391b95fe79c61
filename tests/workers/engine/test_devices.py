"""Settings follow from facts of the device."""

import pytest
import torch

from workers.engine import devices
from workers.engine.devices import (
    DeviceFacts,
    choose_settings,
    default_budget,
    detect_device,
)

GIB = 1024**3
PROCESSOR = DeviceFacts("cpu", "cpu", "x86_64 AVX512", 16 * GIB, bf16=True)
AMPERE = DeviceFacts("cuda", "cuda:0", "A100", 80 * GIB, bf16=True, capability=(8, 0))
TURING = DeviceFacts("cuda", "cuda:0", "T4", 16 * GIB, bf16=False, capability=(7, 5))
PASCAL = DeviceFacts("cuda", "cuda:0", "P100", 16 * GIB, bf16=False, capability=(6, 0))


@pytest.mark.parametrize(
    ("base", "dtype", "vae_dtype", "channels_last"),
    [
        ("sd15", torch.float16, torch.float16, True),
        ("sd21", torch.bfloat16, torch.bfloat16, True),
        ("sdxl", torch.float16, torch.bfloat16, True),
        ("flux", torch.bfloat16, torch.bfloat16, False),
    ],
)
def test_a_modern_gpu_runs_each_base_in_its_half_precision(
    base, dtype, vae_dtype, channels_last
):
    settings = choose_settings(AMPERE, base)
    assert settings.dtype == dtype
    assert settings.vae_dtype == vae_dtype
    assert settings.channels_last == channels_last
    assert settings.compile_blocks


def test_a_gpu_without_bfloat16_keeps_overflowing_models_in_single_precision():
    assert choose_settings(TURING, "sd15").dtype == torch.float16
    assert choose_settings(TURING, "sdxl").vae_dtype == torch.float32
    assert choose_settings(TURING, "flux").dtype == torch.float32


def test_an_old_gpu_does_not_compile():
    assert not choose_settings(PASCAL, "sd15").compile_blocks


@pytest.mark.parametrize(
    ("gain", "dtype"), [(3.0, torch.bfloat16), (1.1, torch.float32)]
)
def test_a_processor_runs_bfloat16_only_where_it_measured_faster(
    monkeypatch, gain, dtype
):
    monkeypatch.setattr(devices, "cpu_bf16_gain", lambda: gain)
    assert choose_settings(PROCESSOR, "sd15").dtype == dtype


def test_a_processor_without_matrix_tiles_is_not_measured(monkeypatch):
    monkeypatch.setattr(devices, "cpu_bf16_gain", lambda: pytest.fail("measured"))
    plain = DeviceFacts("cpu", "cpu", "x86_64 AVX2", 16 * GIB, bf16=False)
    assert choose_settings(plain, "sd15").dtype == torch.float32


def test_a_fixed_precision_overrides_the_choice():
    assert choose_settings(AMPERE, "sd15", torch.float32).dtype == torch.float32
    settings = choose_settings(PROCESSOR, "sd15", torch.bfloat16)
    assert settings.dtype == settings.vae_dtype == torch.bfloat16


def test_the_gain_of_bfloat16_is_measured():
    gain = devices.cpu_bf16_gain()
    assert 0.01 < gain < 100
    assert devices.cpu_bf16_gain() == gain


def test_the_processors_facts_are_real():
    facts = detect_device("cpu")
    assert facts.kind == "cpu"
    assert GIB // 4 < facts.memory < 2**50
    assert 0 < default_budget(facts) < facts.memory
    assert facts.hardware_class.startswith("cpu ")


def test_other_devices_are_refused():
    with pytest.raises(ValueError, match="cpu or cuda"):
        detect_device("meta")
