"""The tables of a migration in one transaction: had all at once, or none is held."""

from __future__ import annotations

import pytest
from django.db import NotSupportedError, connections, transaction

from pingvas.core.db import online
from pingvas.core.db.locks import CHANGED, REFERRED, LockTables
from tests.core.darkroom import TABLE, open_darkroom
from tests.database import owner_connection

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
INSERT = "INSERT INTO darkroom_photo (caption) VALUES ('meanwhile')"


@pytest.fixture
def darkroom():
    with open_darkroom() as room:
        room.sql("SET lock_timeout = '5s'")
        yield room


def lock(**modes):
    editor = connections["owner"].schema_editor(atomic=False)
    LockTables(**modes).database_forwards("darkroom", editor, None, None)


def locked(darkroom):
    rows = darkroom.sql(
        "SELECT mode FROM pg_locks WHERE relation = %s::regclass AND granted", TABLE
    )
    return [mode for (mode,) in rows]


def test_a_table_is_locked_until_the_migration_ends(darkroom):
    with transaction.atomic("owner"):
        lock(**{TABLE: CHANGED})
        assert locked(darkroom) == ["AccessExclusiveLock"]
    assert locked(darkroom) == []


def test_nothing_is_held_while_another_table_is_waited_for(darkroom, monkeypatch):
    """Whoever has the second may want the first next: there is no circle."""
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        darkroom.sql(INSERT)
        if len(pauses) == 2:
            writer.rollback()

    monkeypatch.setattr(online.time, "sleep", pause)
    with owner_connection() as writer:
        writer.autocommit = False
        writer.execute("LOCK TABLE queue_clock IN ROW EXCLUSIVE MODE")
        with transaction.atomic("owner"):
            lock(**{TABLE: CHANGED}, queue_clock=REFERRED)
            assert locked(darkroom) == ["AccessExclusiveLock"]
    assert (len(pauses), darkroom.sql("SELECT count(*) FROM darkroom_photo")) == (
        2,
        [(2,)],
    )


def test_locks_that_would_be_gone_at_once_are_refused(darkroom):
    with pytest.raises(NotSupportedError):
        lock(**{TABLE: CHANGED})
