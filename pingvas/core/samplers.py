"""The samplers' names as people know them."""

from __future__ import annotations

SAMPLER_NAMES = {
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
