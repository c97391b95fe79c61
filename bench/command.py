"""`python -m bench.<subject>`: one subject by itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.house import open_servers, open_studio
from bench.report import Ratio, describe_machine, say, show_table


def main(subject: str, *, alone: bool = False) -> None:
    """Measure `subject`, print its table and, for the runner, keep the figures.

    alone: the subject starts servers of its own, and needs none of ours.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{subject}")
    parser.add_argument("--small", action="store_true", help="quick and coarse")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    machine = describe_machine()
    with _surroundings(subject, alone=alone):
        ratios = import_module(f"bench.cases.{subject}").measure(small=options.small)
    say(show_table(ratios))
    for ratio in ratios:
        say(f"{ratio.name}: {ratio.note}")
    if options.json:
        options.json.write_text(json.dumps(_record(machine, ratios), indent=1))


@contextmanager
def _surroundings(subject: str, *, alone: bool) -> Iterator[None]:
    if alone:
        yield
        return
    with open_servers(), open_studio(subject):
        yield


def _record(machine: dict[str, str], ratios: list[Ratio]) -> dict[str, Any]:
    return {"machine": machine, "ratios": [ratio.as_record() for ratio in ratios]}
