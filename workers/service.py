"""Short transactions of the service, from threads that live for days."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from pingvas.core.db.actor import SERVICE, acting_as

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


@contextmanager
def as_service() -> Iterator[None]:
    """A transaction on a connection that works, which goes back to the pool after it.

    Django looks after connections at the ends of a request; a thread of a worker has
    none, and would keep one that PostgreSQL's restart has broken.
    """
    close_old_connections()
    try:
        with acting_as(SERVICE):
            yield
    finally:
        close_old_connections()


def write_as_service(write: Callable[[], object]) -> None:
    """Do `write` in a transaction, again for the length of a lease if PostgreSQL is
    away: a pass of minutes is not thrown away for a restart of seconds.

    `write` may have been committed when its answer was lost: it names its attempt.
    """
    give_up = time.monotonic() + settings.LEASE_SECONDS
    while True:
        try:
            with as_service():
                write()
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > give_up:
                raise
            log.warning("PostgreSQL is away", exc_info=True)
            time.sleep(RETRY_SECONDS)
