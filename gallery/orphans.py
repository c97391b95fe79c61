"""Objects that no picture's row names: what crashes and failed removals left behind.

An object is written before its row, so a young one without a row may be about to get
it. Old ones will not: an attempt at a job lives for minutes, not for a day.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from django.utils import timezone

from gallery.selectors import keys_with_rows
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.errors import PingvasError
from pingvas.core.storage.base import StoredObject
from pingvas.core.storage.keys import PICTURES, master_key
from pingvas.core.storage.stores import object_store

log = logging.getLogger(__name__)

MINIMUM_AGE = timedelta(days=1)
# So many orphans, and more of them than of objects with a row, mean that this database
# is not the one whose pictures lie here.
SUSPICIOUS = 1000


class StoreOfAnotherDatabase(PingvasError):
    """Most objects so far have no row; nothing more was removed."""

    code = "store_of_another_database"
    status = 500


@dataclass
class Sweep:
    """What one sweep saw: objects old enough to judge, orphans and their bytes."""

    seen: int = 0
    orphans: int = 0
    bytes: int = 0


def remove_orphans(*, dry_run: bool = False, force: bool = False) -> Sweep:
    """Remove old objects in the folders of pictures whose key no row has.

    Judges the store page by page, so its size does not matter. StorageUnavailable when
    the store goes away; StoreOfAnotherDatabase, unless forced, before a wrong one is
    emptied.
    """
    done = Sweep()
    store = object_store()
    for orphans in _judge(done):
        if not dry_run:
            if not force:
                _refuse_another_database(done)
            store.delete([each.key for each in orphans])
    log.info("orphans swept", extra={**vars(done), "dry_run": dry_run})
    return done


def _judge(done: Sweep) -> Iterator[list[StoredObject]]:
    for page in chain.from_iterable(map(object_store().pages, PICTURES)):
        before = timezone.now() - MINIMUM_AGE
        old = [each for each in page if each.modified < before]
        orphans = _without_rows(old)
        done.seen += len(old)
        done.orphans += len(orphans)
        done.bytes += sum(each.size for each in orphans)
        if orphans:
            yield orphans


def _refuse_another_database(done: Sweep) -> None:
    if done.orphans >= max(SUSPICIOUS, done.seen / 2):
        raise StoreOfAnotherDatabase(f"{done.orphans} of {done.seen} have no row")


def _without_rows(objects: list[StoredObject]) -> list[StoredObject]:
    with acting_as(SERVICE):
        named = keys_with_rows({master_key(each.key) for each in objects})
    return [each for each in objects if master_key(each.key) not in named]
