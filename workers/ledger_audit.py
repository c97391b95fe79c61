"""The audit of a night: the books, then the root that the ledger is held to."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.conf import settings

from billing.services.audit import Fault, audit_ledger
from billing.services.audit_record import remember_audit
from workers.ledger_roots import compare_with_root, sign_root

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """`compared_with`: key of the root that the ledger was held to; None: of none.

    `signed`: key of the root that was signed afterwards, if one was.
    """

    faults: list[Fault]
    has_key: bool
    compared_with: str | None = None
    signed: str | None = None


def audit(*, sign: bool = False, accept: bool = False) -> Audit:
    """Prove the books and compare the ledger with the last signed root.

    With `sign` a new root is signed where nothing speaks against the last one, with
    `accept` in any case. Without LEDGER_SIGNING_KEY the books alone are proved.
    """
    books = audit_ledger()
    if not settings.LEDGER_SIGNING_KEY:
        remember_audit(books)
        return Audit(faults=books, has_key=False)
    compared = compare_with_root()
    faults = [*books, *compared.faults]
    remember_audit(faults)
    signed = None
    if accept or (sign and compared.may_sign):
        signed = sign_root(compared, faults=len(faults))
    root = compared.root
    return Audit(
        faults=faults,
        has_key=True,
        compared_with=root.key if root else None,
        signed=signed,
    )


def run_nightly_audit() -> None:
    """Each fault becomes one line that an operator is woken by."""
    done = audit(sign=True)
    for fault in done.faults:
        log.error("ledger fault", extra={"fault": fault})
    if done.has_key and not done.signed:
        log.error("ledger root not signed")
    log.info("ledger audited", extra={"faults": len(done.faults), "root": done.signed})
