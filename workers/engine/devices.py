"""What the device can do, and the settings that follow from it."""

from __future__ import annotations

import functools
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

Kind = Literal["cpu", "cuda"]

# A model that overflows half precision is run in bfloat16: sd21's attention and
# Flux's T5 do, sd15 and sdxl (but for its decoder) were released in float16.
PREFERRED = {
    "sd15": torch.float16,
    "sd21": torch.bfloat16,
    "sdxl": torch.float16,
    "flux": torch.bfloat16,
}
# Below this gain bfloat16 on a CPU is not worth its rounding, and a busy machine
# could tip the measurement either way.
CPU_GAIN = 1.5
CPU_SHARE, CUDA_SHARE = 0.6, 0.85
_CGROUP_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """`memory` in bytes; `capability` is CUDA's compute capability, else None."""

    kind: Kind
    device: str
    name: str
    memory: int
    bf16: bool
    capability: tuple[int, int] | None = None

    @property
    def hardware_class(self) -> str:
        """Equal strings promise equal bytes for equal jobs (see records)."""
        if self.capability is None:
            return f"cpu {self.name}"
        return f"cuda {self.name} sm_{self.capability[0]}{self.capability[1]}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How one base runs on one device."""

    dtype: torch.dtype
    vae_dtype: torch.dtype
    channels_last: bool
    compile_blocks: bool


def detect_device(device: str | None = None) -> DeviceFacts:
    """Facts of the named device, or of the first GPU, or of the processor."""
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if chosen.type == "cpu":
        return _cpu_facts()
    if chosen.type != "cuda":
        raise ValueError(f"the engine runs on cpu or cuda, not {chosen.type}")
    properties = torch.cuda.get_device_properties(chosen)
    return DeviceFacts(
        kind="cuda",
        device=str(chosen),
        name=properties.name,
        memory=properties.total_memory,
        bf16=torch.cuda.is_bf16_supported(including_emulation=False),
        capability=(properties.major, properties.minor),
    )


def _cpu_facts() -> DeviceFacts:
    isa = torch.backends.cpu.get_cpu_capability()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return DeviceFacts(
        kind="cpu",
        device="cpu",
        name=f"{platform.machine()} {isa}",
        memory=min(memory, _cgroup_limit() or memory),
        bf16=_cpu_has_bf16(),
    )


def _cgroup_limit() -> int | None:
    for name in _CGROUP_LIMITS:
        path = Path(name)
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            return int(text)
    return None


def _cpu_has_bf16() -> bool:
    # Matrix tiles only. With avx512_bf16 alone single layers gain up to a half, but
    # whole UNets measured 1.06 to 1.16 times as fast at batch 2: not worth rounding.
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "amx_bf16" in cpuinfo.read_text()


def default_budget(facts: DeviceFacts) -> int:
    """Bytes that resident weights may take, leaving room for activations."""
    share = CUDA_SHARE if facts.kind == "cuda" else CPU_SHARE
    return int(facts.memory * share)


def choose_settings(
    facts: DeviceFacts, base: str, precision: torch.dtype | None = None
) -> Settings:
    """Settings by device facts; `precision` overrides the choice of dtype."""
    if facts.kind == "cpu":
        dtype = precision or _cpu_dtype(facts)
        return Settings(dtype, dtype, channels_last=False, compile_blocks=False)
    dtype = precision or _cuda_dtype(facts, base)
    return Settings(
        dtype=dtype,
        # SDXL's decoder overflows float16 and then paints black.
        vae_dtype=_wide_dtype(facts) if base == "sdxl" else dtype,
        channels_last=base != "flux",
        compile_blocks=facts.capability is not None and facts.capability >= (7, 0),
    )


def _cuda_dtype(facts: DeviceFacts, base: str) -> torch.dtype:
    preferred = PREFERRED[base]
    if preferred is torch.bfloat16:
        return _wide_dtype(facts)
    return preferred


def _wide_dtype(facts: DeviceFacts) -> torch.dtype:
    return torch.bfloat16 if facts.bf16 else torch.float32


def _cpu_dtype(facts: DeviceFacts) -> torch.dtype:
    if facts.bf16 and cpu_bf16_gain() >= CPU_GAIN:
        return torch.bfloat16
    return torch.float32


@functools.cache
def cpu_bf16_gain() -> float:
    """How many times faster bfloat16 runs a UNet-like layer pair, measured once.

    The two precisions take turns and the best time of each counts, so that other
    work on the machine disturbs both alike. The outcome is part of every record.
    """
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    layers = {dtype: _probe_layers(dtype) for dtype in best}
    for _ in range(5):
        for dtype, (conv, linear) in layers.items():
            picture = torch.ones(2, 320, 32, 32, dtype=dtype)
            tokens = torch.ones(2, 1024, 320, dtype=dtype)
            started = time.perf_counter()
            with torch.inference_mode():
                conv(picture)
                linear(tokens)
            best[dtype] = min(best[dtype], time.perf_counter() - started)
    return best[torch.float32] / best[torch.bfloat16]


def _probe_layers(dtype: torch.dtype) -> tuple[torch.nn.Module, torch.nn.Module]:
    with torch.random.fork_rng(devices=()):
        conv = torch.nn.Conv2d(320, 320, 3, padding=1)
        linear = torch.nn.Linear(320, 1280)
    return conv.to(dtype), linear.to(dtype)


def make_deterministic() -> None:
    """Take the choices from cuDNN that would let two runs differ."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
