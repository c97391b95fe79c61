"""`python -m workers.starter.evaluate`: draw held-out prompts and count what is right.

The figures, a page that states them and a contact sheet are written beside the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from workers.starter.examination import (
    CRITERIA,
    Question,
    draw_questions,
    mark_pictures,
    shares,
)
from workers.starter.pipeline import (
    GUIDANCE,
    SAMPLERS,
    STEPS,
    WEIGHTS,
    draw_pictures,
    load_pipeline,
    use_sampler,
)
from workers.starter.scenes import Pixels
from workers.starter.shapes import KINDS
from workers.starter.sheets import save_sheet

QUESTIONS = 300
PAIR_QUESTIONS = 100
SAMPLER = "euler"
# The other samplers and guidances answer this many of the same prompts each.
FEWER = 20
GUIDANCES = (3.0, 7.5)
FIRST_SEED = 1
SHEET = 40
PAIRS_ON_SHEET = 24
TARGETS = {"background": 95, "colour": 95, "position": 95, "kind": 85}

Marks = list[dict[str, bool]]


def answer(
    pipeline: StableDiffusionPipeline, questions: Sequence[Question], guidance: float
) -> tuple[Pixels, Marks]:
    prompts = [question.prompt for question in questions]
    pictures = draw_pictures(
        pipeline, prompts, first_seed=FIRST_SEED, guidance=guidance
    )
    return pictures, mark_pictures([q.scene for q in questions], pictures)


def shares_where(
    questions: Sequence[Question], results: Marks, attribute: str, value: str
) -> dict[str, float]:
    """Shares among the questions whose scene, or wording, has this attribute."""
    chosen = [
        result
        for question, result in zip(questions, results, strict=True)
        if value in (getattr(question.scene, attribute, None), question.language)
    ]
    return shares(chosen) if chosen else {}


def fingerprint(folder: Path) -> str:
    """SHA-256 over all tensors' files, to tell which weights figures belong to."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def seconds_for_one(pipeline: StableDiffusionPipeline) -> float:
    draw_pictures(pipeline, ["a warm-up"], steps=2)
    started = time.monotonic()
    draw_pictures(pipeline, ["a yellow star on a blue background"])
    return round(time.monotonic() - started, 2)


def measure_variants(
    pipeline: StableDiffusionPipeline, questions: Sequence[Question]
) -> dict[str, dict[str, float]]:
    """The same prompts with every sampler, then with other guidances."""
    variants = {}
    for name in SAMPLERS:
        use_sampler(pipeline, name)
        variants[f"{name}, guidance {GUIDANCE}"] = shares(
            answer(pipeline, questions, GUIDANCE)[1]
        )
    use_sampler(pipeline, SAMPLER)
    for guidance in GUIDANCES:
        variants[f"{SAMPLER}, guidance {guidance}"] = shares(
            answer(pipeline, questions, guidance)[1]
        )
    return variants


def evaluate(folder: Path, count: int) -> dict[str, Any]:
    """Figures for the weights in `folder`; the sheet is saved there as well."""
    pipeline = load_pipeline(folder)
    use_sampler(pipeline, SAMPLER)
    questions = draw_questions(count)
    pictures, results = answer(pipeline, questions, GUIDANCE)
    pairs = draw_questions(PAIR_QUESTIONS, pairs=1.0)
    pair_pictures, pair_results = answer(pipeline, pairs, GUIDANCE)
    shown = np.concatenate([pictures[:SHEET], pair_pictures[:PAIRS_ON_SHEET]])
    save_sheet(folder / "sheet.png", shown, columns=8)
    return {
        "weights": fingerprint(folder),
        "prompts": count,
        "sampler": SAMPLER,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "seconds_for_one_picture": seconds_for_one(pipeline),
        "threads": torch.get_num_threads(),
        "targets": TARGETS,
        "right": shares(results),
        "english": shares_where(questions, results, "", "en"),
        "korean": shares_where(questions, results, "", "ko"),
        "two_objects": shares(pair_results),
        "by_size": {
            size: shares_where(questions, results, "size", size)
            for size in ("small", "medium", "large")
        },
        "by_kind": {
            kind: shares_where(questions, results, "kind", kind).get("kind")
            for kind in KINDS
        },
        "variants": measure_variants(pipeline, questions[:FEWER]),
        "sheet_prompts": [
            question.prompt
            for question in [*questions[:SHEET], *pairs[:PAIRS_ON_SHEET]]
        ],
    }


def table(title: str, rows: dict[str, dict[str, float]]) -> str:
    lines = [f"| {title} | " + " | ".join(CRITERIA) + " |", "|---" * 6 + "|"]
    for name, row in rows.items():
        cells = (str(row.get(criterion, "")) for criterion in CRITERIA)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def describe(figures: dict[str, Any]) -> str:
    """The figures as a page of Markdown."""
    groups = {
        "all prompts": figures["right"],
        "English": figures["english"],
        "Korean": figures["korean"],
        "target": figures["targets"],
    }
    others = {f"{size} objects": row for size, row in figures["by_size"].items()}
    others["two objects"] = figures["two_objects"]
    kinds = (f"{kind} {share}" for kind, share in figures["by_kind"].items())
    return (
        "\n\n".join(
            (
                "# What the starter model gets right",
                f"{figures['prompts']} prompts for combinations of kind, colour and "
                "background that training never sees, each drawn once, its seed fixed "
                f"({figures['sampler']}, {figures['steps']} steps, guidance "
                f"{figures['guidance']}) and read back from the pixels. Percent right; "
                "“all” means that everything asked for is right in one picture.",
                table("", groups),
                f"Two objects are {PAIR_QUESTIONS} prompts of their own, right only if "
                "both are.",
                table("", others),
                "Kind right, by kind: " + ", ".join(kinds) + ".",
                f"The first {FEWER} prompts with other settings:",
                table("", figures["variants"]),
                f"One picture took {figures['seconds_for_one_picture']} s on "
                f"{figures['threads']} CPU threads.",
                "![The first pictures](sheet.png)",
            )
        )
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="workers.starter.evaluate")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--prompts", type=int, default=QUESTIONS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures = evaluate(arguments.folder, arguments.prompts)
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    (arguments.folder / "figures.json").write_text(text + "\n")
    page = describe(figures)
    (arguments.folder / "FIGURES.md").write_text(page)
    print(page)  # noqa: T201 - what the command is run for


if __name__ == "__main__":
    main()
