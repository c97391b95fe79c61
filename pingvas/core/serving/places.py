"""How many connections, requests or sockets each client has here, up to a most."""

from __future__ import annotations

from collections.abc import Hashable


class Places:
    """Counted in one process, on its event loop."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, int] = {}

    def take(self, whose: Hashable, most: int) -> bool:
        """Whether there was one left."""
        count = self._taken.get(whose, 0)
        if count >= most:
            return False
        self._taken[whose] = count + 1
        return True

    def leave(self, whose: Hashable) -> None:
        count = self._taken[whose] - 1
        if count:
            self._taken[whose] = count
        else:
            del self._taken[whose]

    def __len__(self) -> int:
        return sum(self._taken.values())
