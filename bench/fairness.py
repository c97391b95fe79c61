"""How long others wait while one tenant dumps thousands of jobs."""

from __future__ import annotations

from bench.command import main

if __name__ == "__main__":
    main("fairness")
