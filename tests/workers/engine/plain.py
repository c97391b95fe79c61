"""The same pictures by a plain diffusers call, as its documentation shows it."""

import functools
import inspect

import diffusers
import numpy as np
import torch

KARRAS = {"use_karras_sigmas": True}
SDE = {"algorithm_type": "sde-dpmsolver++"}
FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
# Written down apart from the engine's own table, which it is to check.
SCHEDULERS = {
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_karras": ("EulerDiscreteScheduler", KARRAS),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2_karras": ("KDPM2DiscreteScheduler", KARRAS),
    "dpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmpp_2s": ("DPMSolverSinglestepScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_2m_karras": ("DPMSolverMultistepScheduler", KARRAS),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", SDE),
    "dpmpp_2m_sde_karras": ("DPMSolverMultistepScheduler", {**SDE, **KARRAS}),
    "dpmpp_sde": ("DPMSolverSinglestepScheduler", SDE),
    "dpmpp_sde_karras": ("DPMSolverSinglestepScheduler", {**SDE, **KARRAS}),
    # Clipping is for pixels; diffusers' own pipelines switch it off for latents.
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "ddpm": ("DDPMScheduler", {"clip_sample": False}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "deis": ("DEISMultistepScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "lms_karras": ("LMSDiscreteScheduler", KARRAS),
    "lcm": ("LCMScheduler", {}),
}
FLOW_SCHEDULERS = {
    "euler": ("FlowMatchEulerDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", FLOW),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {**FLOW, **SDE}),
    "unipc": ("UniPCMultistepScheduler", FLOW),
    "lcm": ("FlowMatchLCMScheduler", {}),
}
_loaded = {}


def load(folder):
    """A plain pipeline of a folder, kept for the session: they are never changed
    but for their scheduler."""
    if folder not in _loaded:
        options = {"local_files_only": True, "safety_checker": None}
        pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, **options)
        pipeline.set_progress_bar_config(disable=True)
        _align(pipeline)
        _loaded[folder] = pipeline, pipeline.scheduler.config
    return _loaded[folder]


def _align(pipeline):
    """Weights mapped from a file lie anywhere, and sums round accordingly."""
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            for parameter in part.parameters():
                parameter.data = parameter.data.clone()


def pictures(folder, spec):
    """8-bit pixels (n, height, width, 3) of the spec's seeds in one plain call."""
    pipeline, config = load(folder)
    table = FLOW_SCHEDULERS if spec.base == "flux" else SCHEDULERS
    name, options = table[spec.sampler]
    pipeline.scheduler = getattr(diffusers, name).from_config(config, **options)
    arguments = {"guidance_scale": spec.guidance or 1.0}
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in spec.seeds]
    if spec.base != "flux":
        # SDXL takes none for zeros, and an empty one for words.
        arguments["negative_prompt"] = spec.negative_prompt or None
    elif "generator" in inspect.signature(pipeline.scheduler.step).parameters:
        # The Flux pipeline hands no generator to its scheduler.
        step = functools.partial(pipeline.scheduler.step, generator=generators)
        pipeline.scheduler.step = step
    images = pipeline(
        spec.prompt,
        width=spec.width,
        height=spec.height,
        num_inference_steps=spec.steps,
        num_images_per_prompt=len(spec.seeds),
        generator=generators,
        **arguments,
    ).images
    return pixels(images)


def pixels(images):
    return np.stack([np.asarray(image) for image in images]).astype(int)
