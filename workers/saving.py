"""Bring a picture into the store, however long that is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from gallery.services import StoredPicture
from pingvas.core.storage.base import StorageUnavailable
from workers.lease import COOL_SECONDS

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 4.0)
LONGEST_PAUSE = 8.0


class StoreWatch:
    """Whether the store took the last picture: without one nothing should be drawn."""

    def __init__(self) -> None:
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        return time.monotonic() < self._away_until

    def failed(self) -> None:
        self._away_until = time.monotonic() + COOL_SECONDS

    def worked(self) -> None:
        self._away_until = 0.0


def save_patiently(
    save: Callable[[], StoredPicture],
    watch: StoreWatch,
    *,
    on_wait: Callable[[], None],
    may_wait: Callable[[], bool],
) -> StoredPicture:
    """`save`, again and again while the store is away and `may_wait` says so.

    `on_wait` is called once, before the first wait. Raises StorageUnavailable.
    """
    waits = 0
    while True:
        try:
            picture = save()
        except StorageUnavailable:
            watch.failed()
            if waits == 0:
                log.warning("the store is away: pictures wait for it")
                on_wait()
        else:
            watch.worked()
            return picture
        if not _wait(PAUSES[waits] if waits < len(PAUSES) else LONGEST_PAUSE, may_wait):
            raise StorageUnavailable
        waits += 1


def _wait(seconds: float, may_wait: Callable[[], bool]) -> bool:
    """Whether waiting was allowed to its end."""
    until = time.monotonic() + seconds
    never = threading.Event()
    while may_wait():
        left = until - time.monotonic()
        if left <= 0:
            return True
        never.wait(min(left, 0.25))
    return False
