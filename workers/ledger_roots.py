"""The signed root of the ledger: compared every night, then signed anew.

What it shows and what it does not is told in billing/LEDGER.md. The store is talked to
outside of every transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import cast

from django.conf import settings
from django.db import connection

from billing.models import LedgerRoot
from billing.services.audit import Fault
from billing.services.heads import Heads, changed_heads, read_heads
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.storage.base import ObjectStore, StorageUnavailable
from pingvas.core.storage.stores import object_store
from workers.ledger_statements import (
    SignedRoot,
    Untrusted,
    is_stray,
    read_root,
    statement_key,
    statement_keys,
    store_root,
)

# An object that no audit ever takes for a root: told, and in nobody's way.
STRAY = "root_stray"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The ledger beside the newest root that we signed; None: there is none yet.

    `heads` are the ledger's of now, read before anything was compared: what changed
    in between is found the next time.
    """

    root: SignedRoot | None = None
    heads: Heads | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def may_sign(self) -> bool:
        """Whether nothing speaks against a root after this one."""
        return all(fault.check == STRAY for fault in self.faults)


def compare_with_root() -> Comparison:
    """Hold the ledger to the newest signed root. Needs LEDGER_SIGNING_KEY."""
    with acting_as(SERVICE):
        known = LedgerRoot.objects.order_by("-created_at", "-key").first()
    try:
        root, faults = _find_root(object_store(), known)
    except StorageUnavailable:
        return Comparison(faults=[Fault("root_unreachable", {})])
    with acting_as(SERVICE):
        heads = read_heads()
        if root is not None:
            faults += changed_heads(root.heads)
    return Comparison(root=root, heads=heads, faults=faults)


def _find_root(
    store: ObjectStore, known: LedgerRoot | None
) -> tuple[SignedRoot | None, list[Fault]]:
    """The newest root that can be trusted, and what is wrong with newer ones."""
    keys, faults = _sift(statement_keys(store))
    if known is not None and known.key not in keys:
        faults.append(Fault("root_missing", {"key": known.key}))
    for key in keys:
        try:
            return _read_known(store, key, known), faults
        except Untrusted as error:
            faults.append(Fault("root_untrusted", {"key": key, "why": str(error)}))
    return None, faults


def _sift(keys: list[str]) -> tuple[list[str], list[Fault]]:
    """Keys that statements of ours may have, and the others as findings."""
    now = _database_time()
    faults = [Fault(STRAY, {"key": key}) for key in keys if is_stray(key, now)]
    return [key for key in keys if not is_stray(key, now)], faults


def _database_time() -> datetime:
    """The clock that a root's key and its row are held to."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [now] = cursor.fetchone()
    return cast(datetime, now)


def _read_known(store: ObjectStore, key: str, known: LedgerRoot | None) -> SignedRoot:
    root = read_root(store, key)
    if known is not None and known.key == key and bytes(known.digest) != root.digest:
        raise Untrusted("not the statement that was signed")
    return root


def sign_root(compared: Comparison, *, faults: int) -> str | None:
    """Sign the heads that `compared` read; returns the key of the new statement.

    `faults`: rows at fault in that night's audit, for the record. None when the store
    is away: nothing was read then, or nothing could be put.
    """
    heads = compared.heads
    if heads is None:
        return None
    statement = _state(heads, compared.root, faults)
    try:
        digest = store_root(object_store(), statement, heads.packed)
    except StorageUnavailable:
        return None
    key = str(statement["key"])
    with acting_as(SERVICE):
        LedgerRoot.objects.create(key=key, digest=digest)
    return key


def _state(heads: Heads, before: SignedRoot | None, faults: int) -> dict[str, object]:
    now = _database_time()
    return {
        "key": statement_key(now),
        "at": now.isoformat(),
        "ledger": settings.DB_SCHEMA,
        "users": heads.users,
        "postings": heads.postings,
        "root": sha256(heads.packed).hexdigest(),
        "previous": before.digest.hex() if before else None,
        "faults": faults,
    }
