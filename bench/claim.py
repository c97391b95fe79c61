"""Time of a claim: 1,000,000 queued jobs beside 100."""

from __future__ import annotations

from bench.command import main

if __name__ == "__main__":
    main("claim")
