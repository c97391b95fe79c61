"""True-size sd15, sdxl and flux with random weights, on a GPU.

Eager diffusers against the engine's settings, and a worker's pass (previews, engine and
encoding) against a bare pipeline call: same weights, prompt, steps and seeds, one
process, both sides in turns. Random weights draw nothing but take the same time.

`--tiny` runs the same code with tiny models, on a processor too: for the script's own
test, not for figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.report import describe_machine, say, show_table

BASES = ("sd15", "sdxl", "flux")
ROUNDS = 5
NO_GPU = (
    "true-size models need a CUDA device, and torch finds none here; --tiny runs the "
    "script's logic on a processor"
)


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.true_size")
    parser.add_argument("bases", nargs="*", metavar="base", help=", ".join(BASES))
    parser.add_argument("--steps", type=int, default=0, help="instead of the usual")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tiny", action="store_true", help="logic alone, no figures")
    parser.add_argument("--work", type=Path, help="keeps the weights, about 45 GB")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    found = parser.parse_args(arguments)
    unknown = set(found.bases) - set(BASES)
    if unknown:
        parser.error(f"no such base: {', '.join(sorted(unknown))}")
    found.bases = found.bases or list(BASES)
    return found


def run(arguments: list[str] | None = None) -> int:
    """The exit status: 2 without a GPU, 1 when a goal was missed."""
    chosen = options(arguments)
    # Imported late: a wrong option is told before torch is loaded.
    import torch

    from bench.cases import true_size

    if not (chosen.tiny or torch.cuda.is_available()):
        say(NO_GPU)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        ratios = [
            ratio
            for base in chosen.bases
            for ratio in true_size.measure(
                base, work, tiny=chosen.tiny, steps=chosen.steps, rounds=chosen.rounds
            )
        ]
    machine = {
        **describe_machine(),
        **true_size.describe_device(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    say(show_table(ratios))
    say(", ".join(f"{key} {value}" for key, value in machine.items()))
    if chosen.json:
        record = {"machine": machine, "ratios": [each.as_record() for each in ratios]}
        chosen.json.write_text(json.dumps(record, indent=1) + "\n")
    missed = any(ratio.met is False for ratio in ratios)
    return int(missed and not chosen.tiny)


if __name__ == "__main__":
    sys.exit(run())
