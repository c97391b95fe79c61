"""Statements about the ledger: written, signed and read back. See billing/LEDGER.md."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.conf import settings

from billing.services.heads import HEAD
from pingvas.core.storage.base import ObjectMissing, ObjectStore

FOLDER = "audit/ledger"
ENDING = ".json"
LARGEST_STATEMENT = 10_000
_FORM = re.compile(
    re.escape(FOLDER) + r"/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{6}\.json", re.ASCII
)


class Untrusted(Exception):
    """The holder of our key did not write this; the words say what does not fit."""


@dataclass(frozen=True, kw_only=True)
class SignedRoot:
    """A statement that we signed, and the heads that it is about."""

    key: str
    digest: bytes
    heads: bytes


def statement_key(at: datetime) -> str:
    """Where a statement of that time lies; keys sort by time.

    To the microsecond, so that no statement ever takes another's place.
    """
    return f"{FOLDER}/{at.astimezone(UTC):%Y-%m-%dT%H-%M-%S-%f}{ENDING}"


def is_stray(key: str, now: datetime) -> bool:
    """Whether that is no key of ours: it names no time, or one to come."""
    return not _FORM.fullmatch(key) or key > statement_key(now)


def heads_key(key: str) -> str:
    """Where the heads of the statement `key` lie."""
    return f"{key.removesuffix(ENDING)}.heads"


def sign(statement: Mapping[str, Any]) -> bytes:
    """The statement with its signature, as it goes into the store."""
    signed = {"statement": statement, "signature": _signature(statement)}
    return json.dumps(signed, indent=1, sort_keys=True).encode()


def store_root(store: ObjectStore, statement: Mapping[str, Any], heads: bytes) -> bytes:
    """Put heads and statement into the store; returns the statement's digest.

    The statement last: where there is one, its heads are there too.
    """
    key, content = str(statement["key"]), sign(statement)
    store.put(heads_key(key), heads, content_type="application/octet-stream")
    store.put(key, content, content_type="application/json")
    return sha256(content).digest()


def statement_keys(store: ObjectStore) -> list[str]:
    """Keys of everything that poses as a statement, the newest first."""
    found = (each.key for page in store.pages(FOLDER) for each in page)
    return sorted((key for key in found if key.endswith(ENDING)), reverse=True)


def read_root(store: ObjectStore, key: str) -> SignedRoot:
    """The statement `key` and its heads; Untrusted, StorageUnavailable."""
    content = _read(store, key, most=LARGEST_STATEMENT)
    statement = _opened(content)
    if (statement.get("key"), statement.get("ledger")) != (key, settings.DB_SCHEMA):
        raise Untrusted("made for another place")
    size = HEAD.size * int(statement["users"])
    heads = _read(store, heads_key(key), most=size)
    if sha256(heads).hexdigest() != statement["root"]:
        raise Untrusted("heads are not the signed ones")
    return SignedRoot(key=key, digest=sha256(content).digest(), heads=heads)


def _opened(content: bytes) -> dict[str, Any]:
    try:
        signed = json.loads(content)
        statement, signature = signed["statement"], signed["signature"]
        is_ours = hmac.compare_digest(signature, _signature(statement))
    except (ValueError, TypeError, LookupError, RecursionError):
        raise Untrusted("no statement") from None
    if not is_ours:
        raise Untrusted("signature is not ours")
    return dict(statement)


def _signature(statement: Mapping[str, Any]) -> str:
    plain = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    key = settings.LEDGER_SIGNING_KEY.encode()
    return hmac.new(key, b"pingvas ledger root\n" + plain, sha256).hexdigest()


def _read(store: ObjectStore, key: str, *, most: int) -> bytes:
    """The whole object, unless it is larger than what we ever wrote there."""
    try:
        size = store.size(key)
        if size is None or size > most:
            raise Untrusted("object is missing or too large")
        return b"".join(store.read(key))
    except ObjectMissing:
        raise Untrusted("object is missing or too large") from None
