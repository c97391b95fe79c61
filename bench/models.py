"""Checkpoints to draw with: the starter model, or tiny ones of true architecture."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

STARTER = Path(__file__).parent.parent / "workers" / "starter" / "weights"


def starter_folder() -> Path:
    """The starter model's weights; before they exist, a tiny model of the same kind."""
    return STARTER if (STARTER / "model_index.json").exists() else tiny_folder("sd15")


def tiny_folder(base: str) -> Path:
    """A diffusers folder of that base, the same weights every time."""
    folder = Path(settings.MEDIA_ROOT).parent / "checkpoints" / base
    if not (folder / "model_index.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        import_module("tests.workers.engine.checkpoints").build(base, folder)
    return folder


def register(folder: Path, *, name: str, base: str) -> None:
    """Check the checkpoint, store it and let everybody use it."""
    call_command("add_model", str(folder), name=name, base=base, verbosity=0)
