from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from django.db.models import QuerySet

from billing.services import holds, ledger
from generation.services import lifecycle
from tests.statements import without


@pytest.fixture
def meet_after(monkeypatch):
    """Make threads wait for each other right after they called a function.

    This opens the window between reading and writing. Behind a lock they cannot meet;
    the first gives up waiting and goes on.
    """

    def patch(module: Any, name: str, parties: int) -> None:
        meeting = threading.Barrier(parties)
        original = getattr(module, name)

        def read_and_wait(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            with suppress(threading.BrokenBarrierError):
                meeting.wait(timeout=1)
            return result

        monkeypatch.setattr(module, name, read_and_wait)

    return patch


@pytest.fixture
def without_locks(monkeypatch):
    monkeypatch.setattr(
        QuerySet, "select_for_update", lambda rows, **options: rows.all()
    )
    for module, name in ((ledger, "_LOCK"), (holds, "_LOCK_HOLD")):
        statement, lock, _ = getattr(module, name).partition("FOR UPDATE")
        assert lock
        monkeypatch.setattr(module, name, statement)


@pytest.fixture
def unlocked_shares(monkeypatch, without_locks):
    share = without(lifecycle.LOCK_SHARE, "FOR UPDATE")
    job = without(lifecycle._lock_job_statement(), "FOR UPDATE")
    monkeypatch.setattr(lifecycle, "LOCK_SHARE", share)
    monkeypatch.setattr(lifecycle, "_lock_job_statement", lambda: job)
    monkeypatch.setattr(lifecycle, "try_lock_share", lambda user_id: True)
