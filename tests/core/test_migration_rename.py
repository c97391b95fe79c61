from __future__ import annotations

import psycopg
import pytest
from django.db import models

from pingvas.core.db import online
from pingvas.core.db.operations import ContractRename, ExpandRename
from pingvas.core.db.renaming import ColumnNotCopied
from tests.core.darkroom import open_darkroom
from tests.database import admin_connection

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
EXPAND = ("photo", "caption", "title")
BOTH = "SELECT {}, {} FROM darkroom_photo WHERE {}"
INSERT_OLD = "INSERT INTO darkroom_photo (caption) VALUES (%s)"
INSERT_NEW = "INSERT INTO darkroom_photo (title) VALUES (%s)"
OLD_FIELD = models.CharField(max_length=100)


@pytest.fixture
def darkroom(monkeypatch):
    monkeypatch.setattr(online, "BATCH_ROWS", 10)
    with open_darkroom() as room:
        room.sql(
            "INSERT INTO darkroom_photo (caption, note) "
            "SELECT 'picture ' || n, n::text FROM generate_series(1, 25) n"
        )
        yield room


def both(darkroom, old="caption", new="title", where="true"):
    return darkroom.sql(BOTH.format(old, new, where))


def assert_equal_everywhere(darkroom, rows):
    pairs = both(darkroom)
    assert len(pairs) == rows
    assert all(old == new is not None for old, new in pairs)


def test_both_versions_read_what_the_other_writes(darkroom):
    darkroom.migrate(ExpandRename(*EXPAND))
    assert_equal_everywhere(darkroom, 25)
    darkroom.sql("INSERT INTO darkroom_photo (caption) VALUES ('old version')")
    darkroom.sql("INSERT INTO darkroom_photo (title) VALUES ('new version')")
    assert_equal_everywhere(darkroom, 27)
    darkroom.sql("UPDATE darkroom_photo SET caption = 'o2' WHERE title = 'new version'")
    darkroom.sql("UPDATE darkroom_photo SET title = 'n2' WHERE caption = 'old version'")
    assert_equal_everywhere(darkroom, 27)
    assert both(darkroom, where="title IN ('o2', 'n2') ORDER BY title") == [
        ("n2", "n2"),
        ("o2", "o2"),
    ]


def test_a_statement_that_writes_both_means_the_new_one(darkroom):
    darkroom.migrate(ExpandRename(*EXPAND))
    darkroom.sql("UPDATE darkroom_photo SET caption = 'old', title = 'new'")
    assert set(both(darkroom)) == {("new", "new")}


def test_writers_of_both_versions_are_caught_while_rows_are_copied(
    darkroom, monkeypatch
):
    run, batches = online.Column._run_batch, []

    def with_writers(column, sql):
        last = run(column, sql)
        batches.append(last)
        darkroom.sql(INSERT_OLD, f"old {len(batches)}")
        darkroom.sql(INSERT_NEW, f"new {len(batches)}")
        return last

    monkeypatch.setattr(online.Column, "_run_batch", with_writers)
    darkroom.migrate(ExpandRename(*EXPAND))
    assert len(batches) >= 4
    assert_equal_everywhere(darkroom, 25 + 2 * len(batches))
    assert darkroom.columns()["title"] == ("character varying(100)", True, None)


def test_an_interrupted_expansion_is_run_again(darkroom, monkeypatch):
    run = online.Column._run_batch

    def cut(column, sql):
        run(column, sql)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(online.Column, "_run_batch", cut)
        with pytest.raises(KeyboardInterrupt):
            darkroom.migrate(ExpandRename(*EXPAND))
    darkroom.sql("INSERT INTO darkroom_photo (caption) VALUES ('in between')")
    darkroom.migrate(ExpandRename(*EXPAND))
    assert_equal_everywhere(darkroom, 26)


def test_expanding_can_be_reversed_without_losing_what_the_new_version_wrote(darkroom):
    before = darkroom.columns()
    expanded = darkroom.migrate(ExpandRename(*EXPAND))
    darkroom.sql("INSERT INTO darkroom_photo (title) VALUES ('new version')")
    darkroom.reverse(expanded)
    assert darkroom.columns() == before
    assert darkroom.leftovers() == set()
    assert darkroom.sql("SELECT 1 FROM darkroom_photo WHERE caption = 'new version'")


def test_the_models_know_only_the_new_name(darkroom):
    darkroom.migrate(ExpandRename(*EXPAND))
    fields = darkroom.state.models["darkroom", "photo"].fields
    assert "title" in fields
    assert "caption" not in fields


def test_contracting_leaves_the_new_column_and_nothing_else(darkroom):
    darkroom.migrate(ExpandRename(*EXPAND))
    darkroom.migrate(ContractRename(*EXPAND, OLD_FIELD))
    assert "caption" not in darkroom.columns()
    assert darkroom.leftovers() == set()
    darkroom.sql("INSERT INTO darkroom_photo (title) VALUES ('new version')")
    assert darkroom.sql("SELECT count(*) FROM darkroom_photo") == [(26,)]


def test_contracting_can_be_reversed_for_the_version_before(darkroom):
    darkroom.migrate(ExpandRename(*EXPAND))
    contracted = darkroom.migrate(ContractRename(*EXPAND, OLD_FIELD))
    darkroom.sql("INSERT INTO darkroom_photo (title) VALUES ('since then')")
    darkroom.reverse(contracted)
    assert_equal_everywhere(darkroom, 26)
    assert darkroom.columns()["caption"] == ("character varying(100)", True, None)
    darkroom.sql("INSERT INTO darkroom_photo (caption) VALUES ('old version')")
    assert_equal_everywhere(darkroom, 27)


def test_a_default_moves_with_the_column(darkroom):
    darkroom.migrate(ExpandRename("photo", "shelf", "place"))
    darkroom.sql("INSERT INTO darkroom_photo (caption) VALUES ('neither named')")
    darkroom.sql("INSERT INTO darkroom_photo (caption, place) VALUES ('new', 'right')")
    darkroom.sql("INSERT INTO darkroom_photo (caption, shelf) VALUES ('old', 'top')")
    assert both(darkroom, "shelf", "place", "caption = 'neither named'") == [
        ("left", "left")
    ]
    assert both(darkroom, "shelf", "place", "caption = 'new'") == [("right", "right")]
    assert both(darkroom, "shelf", "place", "caption = 'old'") == [("top", "top")]
    old_field = models.CharField(max_length=20, db_default="left")
    contracted = darkroom.migrate(ContractRename("photo", "shelf", "place", old_field))
    kind = ("character varying(20)", True, "'left'::character varying")
    assert darkroom.columns()["place"] == kind
    darkroom.reverse(contracted)
    assert darkroom.columns()["shelf"] == kind


def test_a_column_changes_its_type_by_the_same_two_steps(darkroom):
    darkroom.sql("UPDATE darkroom_photo SET note = '007' WHERE note = '7'")
    number = models.BigIntegerField(null=True)
    way = {"to_new": "{}::bigint", "to_old": "{}::text"}
    darkroom.migrate(ExpandRename("photo", "note", "number", number, **way))
    assert both(darkroom, "note", "number", "number = 7") == [("007", 7)]
    darkroom.sql("UPDATE darkroom_photo SET number = 8 WHERE note = '007'")
    darkroom.sql("INSERT INTO darkroom_photo (caption, note) VALUES ('old', '0100')")
    darkroom.sql("INSERT INTO darkroom_photo (caption) VALUES ('empty')")
    assert len(both(darkroom, "note", "number", "note = '8' AND number = 8")) == 2
    assert both(darkroom, "note", "number", "number = 100") == [("0100", 100)]
    assert both(darkroom, "note", "number", "caption = 'empty'") == [(None, None)]
    old_field = models.TextField(null=True)
    contract = ContractRename("photo", "note", "number", old_field, **way)
    darkroom.reverse(darkroom.migrate(contract))
    assert both(darkroom, "note", "number", "number = 100") == [("100", 100)]


def test_a_column_that_was_not_copied_is_not_dropped(darkroom):
    darkroom.migrate(ExpandRename("photo", "note", "remark"))
    with admin_connection() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE darkroom_photo SET remark = NULL WHERE note = '3'")
    with pytest.raises(ColumnNotCopied):
        darkroom.migrate(
            ContractRename("photo", "note", "remark", models.TextField(null=True))
        )
    assert "note" in darkroom.columns()


def test_a_version_older_than_the_contract_is_the_reason_for_a_later_release(darkroom):
    darkroom.migrate(ExpandRename(*EXPAND))
    darkroom.migrate(ContractRename(*EXPAND, OLD_FIELD))
    with pytest.raises(psycopg.errors.UndefinedColumn):
        darkroom.sql("INSERT INTO darkroom_photo (caption) VALUES ('old version')")
