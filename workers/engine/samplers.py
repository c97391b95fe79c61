"""Sampler names as people know them, and the schedulers that carry them out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers

from pingvas.recipe.samplers import SAMPLERS as KNOWN_SAMPLERS

# What a checkpoint says about its own noise; everything else is the sampler's choice.
NOISE_FACTS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
    "timestep_spacing",
    "set_alpha_to_one",
)
FLOW_FACTS = (
    "num_train_timesteps",
    "shift",
    "use_dynamic_shifting",
    "base_shift",
    "max_shift",
    "base_image_seq_len",
    "max_image_seq_len",
)


@dataclass(frozen=True, slots=True)
class Sampler:
    """A diffusers scheduler class by name, with what this sampler sets in it."""

    scheduler: str
    options: Mapping[str, Any] = field(default_factory=dict)


_KARRAS = {"use_karras_sigmas": True}
_SDE = {"algorithm_type": "sde-dpmsolver++"}
_MULTISTEP = "DPMSolverMultistepScheduler"
_SINGLESTEP = "DPMSolverSinglestepScheduler"

_DIFFUSION: Mapping[str, Sampler] = {
    "euler_a": Sampler("EulerAncestralDiscreteScheduler"),
    "euler": Sampler("EulerDiscreteScheduler"),
    "euler_karras": Sampler("EulerDiscreteScheduler", _KARRAS),
    "heun": Sampler("HeunDiscreteScheduler"),
    "dpm2": Sampler("KDPM2DiscreteScheduler"),
    "dpm2_karras": Sampler("KDPM2DiscreteScheduler", _KARRAS),
    "dpm2_a": Sampler("KDPM2AncestralDiscreteScheduler"),
    "dpmpp_2s": Sampler(_SINGLESTEP),
    "dpmpp_2m": Sampler(_MULTISTEP),
    "dpmpp_2m_karras": Sampler(_MULTISTEP, _KARRAS),
    "dpmpp_2m_sde": Sampler(_MULTISTEP, _SDE),
    "dpmpp_2m_sde_karras": Sampler(_MULTISTEP, {**_SDE, **_KARRAS}),
    "dpmpp_sde": Sampler(_SINGLESTEP, _SDE),
    "dpmpp_sde_karras": Sampler(_SINGLESTEP, {**_SDE, **_KARRAS}),
    "ddim": Sampler("DDIMScheduler"),
    "ddpm": Sampler("DDPMScheduler"),
    "pndm": Sampler("PNDMScheduler", {"skip_prk_steps": True}),
    "deis": Sampler("DEISMultistepScheduler"),
    "unipc": Sampler("UniPCMultistepScheduler"),
    "lms": Sampler("LMSDiscreteScheduler"),
    "lms_karras": Sampler("LMSDiscreteScheduler", _KARRAS),
    "lcm": Sampler("LCMScheduler"),
}
_FLOW_SIGMAS = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
_FLOW: Mapping[str, Sampler] = {
    "euler": Sampler("FlowMatchEulerDiscreteScheduler"),
    "dpmpp_2m": Sampler(_MULTISTEP, _FLOW_SIGMAS),
    "dpmpp_2m_sde": Sampler(_MULTISTEP, {**_FLOW_SIGMAS, **_SDE}),
    "unipc": Sampler("UniPCMultistepScheduler", _FLOW_SIGMAS),
    "lcm": Sampler("FlowMatchLCMScheduler"),
}
# Which of them a base has, and in which order, the recipe says.
SAMPLERS: Mapping[str, Mapping[str, Sampler]] = {
    base: {name: (_FLOW if base == "flux" else _DIFFUSION)[name] for name in names}
    for base, names in KNOWN_SAMPLERS.items()
}


def sampler_names(base: str) -> tuple[str, ...]:
    """The names a job of this base may use; none for an unknown base."""
    return tuple(SAMPLERS.get(base, {}))


def noise_config(base: str, saved: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint's own facts about noise, freed from its default sampler."""
    if base == "flux":
        return {key: saved[key] for key in FLOW_FACTS if key in saved}
    facts = {key: saved[key] for key in NOISE_FACTS if key in saved}
    # Old folders leave these to defaults that diffusers itself calls mistaken.
    return {**facts, "steps_offset": 1, "clip_sample": False}


def make_scheduler(base: str, name: str, noise: Mapping[str, Any], steps: int) -> Any:
    """A fresh scheduler: schedulers carry state, so no two pictures share one."""
    sampler = SAMPLERS[base][name]
    config = {**noise, **sampler.options}
    if "use_flow_sigmas" in sampler.options:
        config = _with_dynamic_shift(config)
    if sampler.scheduler == "LCMScheduler":
        # Its own default of 50 is a ceiling on the number of steps.
        config["original_inference_steps"] = max(50, steps)
    return getattr(diffusers, sampler.scheduler).from_config(config)


def _with_dynamic_shift(config: dict[str, Any]) -> dict[str, Any]:
    """Say a fixed shift as a dynamic one, the only way these solvers take it.

    The Flux pipeline always hands over mu, and the solvers shift by exp(mu), where
    mu runs linearly from base_shift to max_shift with the picture's size.
    """
    if config.get("use_dynamic_shifting"):
        return config
    shift = math.log(config.pop("shift", 1.0))
    return {
        **config,
        "use_dynamic_shifting": True,
        "base_shift": shift,
        "max_shift": shift,
    }
