"""What this worker is able to run, and what it leaves to others."""

from __future__ import annotations

import time
from collections.abc import Sequence

from generation.needs import base_module
from pingvas.recipe import advanced
from workers.engine.engine import Engine
from workers.lease import COOL_SECONDS
from workers.model_cache import ModelCache


class Serving:
    """The modules of this device, and the largest checkpoint that fits it and the disk.

    `wanted` allows models by name, if it names any. A model that failed for a reason
    outside of its jobs is left to other workers for a while.
    """

    def __init__(
        self, engine: Engine, cache: ModelCache, wanted: Sequence[str] = ()
    ) -> None:
        bases = {base_module(base) for base in engine.bases}
        self.capabilities = sorted(bases | advanced.DRAWN)
        largest = engine.largest_checkpoint
        self.largest_bytes = min(
            cache.limit, cache.limit if largest is None else largest
        )
        self.allowed = sorted(set(wanted)) or None
        self._left_until: dict[str, float] = {}

    def leave_alone(self, name: str) -> None:
        self._left_until[name] = time.monotonic() + COOL_SECONDS

    def left_alone(self) -> list[str]:
        """The names that are left to others now."""
        now = time.monotonic()
        self._left_until = {
            name: until for name, until in self._left_until.items() if now < until
        }
        return sorted(self._left_until)
