"""Submissions a second over HTTP, beside the same statements sent by pgbench."""

from __future__ import annotations

from bench.command import main

if __name__ == "__main__":
    main("submit")
