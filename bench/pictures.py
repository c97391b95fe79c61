"""Pictures a minute through the whole stack, beside a bare diffusers loop."""

from __future__ import annotations

from bench.command import main

if __name__ == "__main__":
    main("pictures")
