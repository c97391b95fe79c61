"""`python -m workers.starter <stage>`: train the starter model, stage by stage.

A stage that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from workers.starter.autoencoder import train_autoencoder


def main() -> None:
    parser = argparse.ArgumentParser(prog="workers.starter", description=__doc__)
    parser.add_argument("stage", choices=["autoencoder"])
    parser.add_argument("--folder", type=Path, default=Path(".pingvas/training"))
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train_autoencoder(folder=arguments.folder, steps=arguments.steps)


main()
