"""`python -m workers.starter <stage>`: train the starter model, stage by stage.

A stage that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTokenizer

from workers.starter.autoencoder import (
    load_autoencoder,
    polish_decoder,
    train_autoencoder,
)
from workers.starter.denoiser import Denoiser, Lessons, train_denoiser
from workers.starter.examination import draw_questions, mark_pictures, shares
from workers.starter.pipeline import WEIGHTS, assemble_pipeline, draw_pictures
from workers.starter.restoring import restore_checkpoints
from workers.starter.sheets import save_sheet
from workers.starter.tokenizer import train_tokenizer
from workers.starter.training import load_average

QUESTIONS_IN_TRAINING = 24


def prepare_tokenizer(folder: Path) -> CLIPTokenizer:
    place = folder / "tokenizer"
    if not place.exists():
        train_tokenizer().save_pretrained(place)
    return CLIPTokenizer.from_pretrained(place, local_files_only=True)


def run_autoencoder(folder: Path, steps: int) -> None:
    train_autoencoder(folder=folder, steps=steps)


def run_decoder(folder: Path, steps: int) -> None:
    polish_decoder(folder=folder, steps=steps)


def run_denoiser(folder: Path, steps: int) -> None:
    autoencoder = load_autoencoder(folder)
    one = draw_questions(QUESTIONS_IN_TRAINING)
    two = draw_questions(QUESTIONS_IN_TRAINING, pairs=1.0)

    def judge(denoiser: Denoiser, scaling_factor: float) -> dict[str, Any]:
        pipeline = assemble_pipeline(
            autoencoder=autoencoder, denoiser=denoiser, scaling_factor=scaling_factor
        )
        pictures = draw_pictures(pipeline, [question.prompt for question in one + two])
        save_sheet(folder / "denoiser.png", pictures, columns=12)
        marks = mark_pictures([question.scene for question in one + two], pictures)
        right = shares(marks[: len(one)])
        return {**right, "two_objects": shares(marks[len(one) :])["all"]}

    train_denoiser(
        folder=folder,
        autoencoder=autoencoder,
        tokenizer=prepare_tokenizer(folder),
        steps=steps,
        judge=judge,
    )


def run_export(folder: Path, _steps: int) -> None:
    """Write the averaged weights in half precision, and the logs, for the product."""
    autoencoder = load_autoencoder(folder)
    denoiser = Denoiser(prepare_tokenizer(folder)).eval()
    load_average(denoiser, folder / "denoiser.pt")
    scaling_factor = Lessons.prepare(autoencoder, folder).scaling_factor
    pipeline = assemble_pipeline(
        autoencoder=autoencoder, denoiser=denoiser, scaling_factor=scaling_factor
    )
    pipeline.to(torch.float16).save_pretrained(WEIGHTS, safe_serialization=True)
    for log in sorted(folder.glob("*.log.jsonl")):
        shutil.copy(log, WEIGHTS / log.name)


def run_restore(folder: Path, _steps: int) -> None:
    if any(folder.glob("*.pt")):
        raise SystemExit(f"{folder} already holds checkpoints: train on with those.")
    restore_checkpoints(folder)


STAGES = {
    "autoencoder": (run_autoencoder, 4000),
    "denoiser": (run_denoiser, 10_000),
    "decoder": (run_decoder, 2000),
    "export": (run_export, 0),
    "restore": (run_restore, 0),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="workers.starter", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--folder", type=Path, default=Path(".pingvas/training"))
    parser.add_argument("--steps", type=int, help="length of the whole schedule")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    stage, steps = STAGES[arguments.stage]
    stage(arguments.folder, arguments.steps or steps)


if __name__ == "__main__":
    main()
