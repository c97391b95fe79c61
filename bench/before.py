"""This version beside the version before it, in turns on one machine."""

from __future__ import annotations

import signal

from bench.command import main

if __name__ == "__main__":
    # However it is stopped, it removes what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main("before", alone=True)
