"""From an accepted job to its first step, beside the round trip of a claim."""

from __future__ import annotations

from bench.command import main

if __name__ == "__main__":
    main("first_step")
