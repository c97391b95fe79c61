"""Sockets that each follow a job: are all endings delivered?"""

from __future__ import annotations

from bench.command import main

if __name__ == "__main__":
    main("sockets")
