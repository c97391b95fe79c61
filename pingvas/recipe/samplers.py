"""The samplers: our names, people's names, and which of them a base can use."""

from __future__ import annotations

from collections.abc import Mapping

SAMPLER_LABELS: Mapping[str, str] = {
    "euler_a": "Euler a",
    "euler": "Euler",
    "euler_karras": "Euler Karras",
    "heun": "Heun",
    "dpm2": "DPM2",
    "dpm2_karras": "DPM2 Karras",
    "dpm2_a": "DPM2 a",
    "dpmpp_2s": "DPM++ 2S",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_karras": "DPM++ 2M Karras",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_karras": "DPM++ 2M SDE Karras",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_sde_karras": "DPM++ SDE Karras",
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "pndm": "PNDM",
    "deis": "DEIS",
    "unipc": "UniPC",
    "lms": "LMS",
    "lms_karras": "LMS Karras",
    "lcm": "LCM",
}
DIFFUSION = tuple(SAMPLER_LABELS)
FLOW = ("euler", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm")
# By base. The first of each is the one that is used when none is asked for.
SAMPLERS: Mapping[str, tuple[str, ...]] = {
    "sd15": DIFFUSION,
    "sd21": DIFFUSION,
    "sdxl": DIFFUSION,
    "flux": FLOW,
}


def usual_sampler(base: str) -> str:
    """The sampler of a base that is taken when none is asked for."""
    return SAMPLERS[base][0]
