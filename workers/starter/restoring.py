"""Training goes on from the published weights where its checkpoints are gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from workers.starter import autoencoder, denoiser
from workers.starter.denoiser import Denoiser
from workers.starter.pipeline import WEIGHTS, load_pipeline
from workers.starter.training import AveragedWeights, Run


def keep(run: Run) -> None:
    """A checkpoint at the step that the published log ends with."""
    log = f"{run.name}.log.jsonl"
    last = json.loads((WEIGHTS / log).read_text().splitlines()[-1])
    run.step, run.seconds = last["step"], last["seconds"]
    run.average = AveragedWeights(run.model, run.average.decay)
    run.save()
    shutil.copy(WEIGHTS / log, run.folder / log)


def restore_checkpoints(folder: Path) -> None:
    """Fill an empty training folder; optimizers start without their memory."""
    pipeline = load_pipeline()
    pipeline.tokenizer.save_pretrained(folder / "tokenizer")
    keep(
        autoencoder.start_run(
            "autoencoder", pipeline.vae, folder=folder, steps=1, rate=0
        )
    )
    model = Denoiser(pipeline.tokenizer)
    model.unet.load_state_dict(pipeline.unet.state_dict())
    model.text_encoder.load_state_dict(pipeline.text_encoder.state_dict())
    keep(denoiser.start_run(model, folder=folder, steps=1))
