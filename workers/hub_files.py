"""Which files of a repository make a pipeline: never pickles, never code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

# Moderation is the product's own; these parts the engine leaves alone.
IGNORED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
SMALL = (".json", ".txt", ".model")
PICKLES = (".bin", ".ckpt", ".pt", ".pth")
STEMS = ("diffusion_pytorch_model", "model")
VARIANTS = (None, "fp16", "bf16")


def choose_files(
    names: Sequence[str],
    *,
    parts: Sequence[str] | None = None,
    variant: str | None = None,
) -> list[str]:
    """What the engine would load of a diffusers-format repository, sorted.

    Of several precisions one is taken: `variant`, else the one without a name. Single
    files beside the folders are the same weights once more. ValueError with the reason
    for a repository in which nothing can be loaded.
    """
    folders: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if len(path.parts) == 2 and path.parts[0] not in IGNORED:
            folders.setdefault(path.parts[0], []).append(path.name)
    wanted = folders if parts is None else [each for each in parts if each in folders]
    chosen = [
        f"{folder}/{name}"
        for folder in wanted
        for name in _of_folder(folder, folders[folder], variant)
    ]
    if parts is None:
        if "model_index.json" not in names:
            raise ValueError("it is no diffusers-format repository")
        chosen.append("model_index.json")
    return sorted(chosen)


def _of_folder(folder: str, names: list[str], variant: str | None) -> list[str]:
    small = [
        name
        for name in names
        if name.endswith(SMALL) and ".safetensors.index" not in name
    ]
    weights = _weights(names, variant)
    if not weights and any(name.endswith(PICKLES) for name in names):
        raise ValueError(f"{folder} has pickled weights only; safetensors are needed")
    return [*small, *weights]


def _weights(names: Iterable[str], variant: str | None) -> list[str]:
    known = set(names)
    order = sorted(VARIANTS, key=lambda each: each != variant)
    for kind in order:
        for stem in STEMS:
            tail = f".{kind}" if kind else ""
            if f"{stem}{tail}.safetensors" in known:
                return [f"{stem}{tail}.safetensors"]
            index = f"{stem}.safetensors.index{tail}.json"
            if index in known:
                shard = re.compile(re.escape(stem + tail) + r"-\d+-of-\d+\.safetensors")
                return [index, *sorted(each for each in known if shard.fullmatch(each))]
    return []
