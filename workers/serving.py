"""Which models this worker offers to run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from modelhub.models import AIModel
from modelhub.selectors import checkpoints
from workers.engine.engine import Engine
from workers.lease import COOL_SECONDS
from workers.model_cache import ModelCache


class Serving:
    """The names of registered checkpoints that fit this device and this disk.

    `wanted` narrows them, if it names any. A model that failed for a reason outside of
    its jobs is left to other workers for a while.
    """

    def __init__(
        self, engine: Engine, cache: ModelCache, wanted: Sequence[str] = ()
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._wanted = frozenset(wanted)
        self._left_until: dict[str, float] = {}
        self.names: list[str] = []

    def look(self) -> list[str]:
        """Renew `names` from what is registered now. Acts as the service."""
        self.names = [model.name for model in checkpoints() if self._serves(model)]
        return self.names

    def changed(self) -> bool:
        """Whether a look finds other models than the one before."""
        before = self.names
        return self.look() != before

    def leave_alone(self, name: str) -> None:
        self._left_until[name] = time.monotonic() + COOL_SECONDS
        self.names = [other for other in self.names if other != name]

    def _serves(self, model: AIModel) -> bool:
        if self._wanted and model.name not in self._wanted:
            return False
        if time.monotonic() < self._left_until.get(model.name, 0.0):
            return False
        size = model.file_size or 0
        return self._engine.could_hold(size) and size <= self._cache.limit
