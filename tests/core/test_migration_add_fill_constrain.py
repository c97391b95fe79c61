from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from django.db import (
    IntegrityError,
    NotSupportedError,
    connections,
    models,
    transaction,
)
from django.db.migrations.operations import AddField

from pingvas.core.db import online
from pingvas.core.db.functions import GenRandomUUID
from pingvas.core.db.operations import (
    AddFilledField,
    DropForgottenField,
    FillField,
    ForgetField,
    SetNotNull,
)
from tests.core.darkroom import open_darkroom

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
INSERT = "INSERT INTO darkroom_photo (caption) VALUES (%s)"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def darkroom(monkeypatch):
    monkeypatch.setattr(online, "BATCH_ROWS", 10)
    with open_darkroom() as room:
        room.sql(
            "INSERT INTO darkroom_photo (caption, updated_at) "
            "SELECT 'picture ' || n, %s FROM generate_series(1, 35) n",
            LONG_AGO,
        )
        yield room


def code_field():
    return models.UUIDField(db_default=GenRandomUUID())


def watch_batches(monkeypatch, act):
    """Call `act(number)` after each batch, when its transaction has not ended yet."""
    run, batches = online.Column._run_batch, []

    def spied(column, sql):
        last = run(column, sql)
        batches.append(last)
        act(len(batches))
        return last

    monkeypatch.setattr(online.Column, "_run_batch", spied)
    return batches


def test_every_row_gets_a_value_of_its_own_and_null_is_forbidden(darkroom):
    darkroom.migrate(AddFilledField("photo", "code", code_field()))
    assert darkroom.columns()["code"] == ("uuid", True, "gen_random_uuid()")
    assert darkroom.sql("SELECT count(DISTINCT code) FROM darkroom_photo") == [(35,)]
    assert darkroom.leftovers() == set()


def test_the_running_version_goes_on_inserting_while_the_column_is_filled(
    darkroom, monkeypatch
):
    batches = watch_batches(
        monkeypatch, lambda number: darkroom.sql(INSERT, f"meanwhile {number}")
    )
    darkroom.migrate(AddFilledField("photo", "code", code_field()))
    darkroom.sql(INSERT, "afterwards")
    assert len(batches) == 5
    assert darkroom.sql("SELECT count(*) FROM darkroom_photo WHERE code IS NULL") == [
        (0,)
    ]
    assert darkroom.sql("SELECT count(*) FROM darkroom_photo") == [(35 + 5 + 1,)]


def test_a_batch_leaves_other_rows_free(darkroom, monkeypatch):
    def write_elsewhere(number):
        if number == 1:
            darkroom.sql("SET lock_timeout = '1s'")
            free = darkroom.sql(
                "SELECT id FROM darkroom_photo FOR UPDATE SKIP LOCKED",
            )
            assert len(free) == 25

    watch_batches(monkeypatch, write_elsewhere)
    darkroom.migrate(AddFilledField("photo", "code", code_field()))


def test_an_interrupted_fill_keeps_its_batches_and_goes_on_from_there(
    darkroom, monkeypatch
):
    def pull_the_plug(number):
        if number == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        watch_batches(patch, pull_the_plug)
        with pytest.raises(KeyboardInterrupt):
            darkroom.migrate(AddFilledField("photo", "code", code_field()))
    filled = dict(
        darkroom.sql("SELECT id, code FROM darkroom_photo WHERE code IS NOT NULL")
    )
    assert len(filled) == 20
    batches = watch_batches(monkeypatch, lambda number: None)
    darkroom.migrate(AddFilledField("photo", "code", code_field()))
    assert len(batches) == 3
    now = dict(darkroom.sql("SELECT id, code FROM darkroom_photo"))
    assert {key: now[key] for key in filled} == filled
    assert darkroom.columns()["code"][1] is True
    assert darkroom.leftovers() == set()


def test_filling_is_no_change_that_an_owner_made(darkroom):
    darkroom.migrate(AddFilledField("photo", "code", code_field()))
    assert darkroom.sql("SELECT DISTINCT updated_at FROM darkroom_photo") == [
        (LONG_AGO,)
    ]
    darkroom.sql("UPDATE darkroom_photo SET note = 'changed'")
    (newest,) = darkroom.sql("SELECT min(updated_at) FROM darkroom_photo")[0]
    assert newest > LONG_AGO


def test_adding_a_filled_field_can_be_reversed_and_done_again(darkroom):
    before = darkroom.columns()
    operation = AddFilledField("photo", "code", code_field())
    darkroom.reverse(darkroom.migrate(operation))
    assert darkroom.columns() == before
    darkroom.migrate(operation)
    assert "code" in darkroom.columns()


def test_a_column_is_added_filled_and_constrained_in_three_releases(darkroom):
    field = models.CharField(max_length=20, null=True, db_comment="전화번호")
    darkroom.migrate(AddField("photo", "phone", field))
    darkroom.sql(INSERT, "by the running version, which knows no phone")
    fill = darkroom.migrate(FillField("photo", "phone", "left(caption, 19) || '%'"))
    required = models.CharField(max_length=20)
    constrained = darkroom.migrate(SetNotNull("photo", "phone", required))
    with pytest.raises(psycopg.errors.NotNullViolation):
        darkroom.sql(INSERT, "without a phone")
    assert darkroom.state.models["darkroom", "photo"].fields["phone"].null is False
    darkroom.reverse(constrained)
    darkroom.reverse(fill)
    darkroom.sql(INSERT, "without a phone")
    assert darkroom.sql("SELECT count(phone), count(*) FROM darkroom_photo") == [
        (36, 37)
    ]


def test_a_row_without_a_value_stops_the_constraint_and_nothing_is_broken(darkroom):
    darkroom.migrate(AddField("photo", "phone", models.TextField(null=True)))
    with pytest.raises(IntegrityError):
        darkroom.migrate(SetNotNull("photo", "phone", models.TextField()))
    assert darkroom.columns()["phone"][1] is False
    darkroom.migrate(FillField("photo", "phone", "'none'"))
    darkroom.migrate(SetNotNull("photo", "phone", models.TextField()))
    assert darkroom.columns()["phone"][1] is True
    assert darkroom.leftovers() == set()


def test_null_is_forbidden_without_reading_the_table_under_a_lock(darkroom):
    darkroom.migrate(AddField("photo", "phone", models.TextField(null=True)))
    darkroom.migrate(FillField("photo", "phone", "caption"))
    said = []
    connection = connections["owner"]
    with connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = debug1")
    connection.connection.add_notice_handler(lambda d: said.append(d.message_primary))
    darkroom.migrate(SetNotNull("photo", "phone", models.TextField()))
    proof = 'existing constraints on column "darkroom_photo.phone" are sufficient'
    assert any(message.startswith(proof) for message in said)


def test_a_busy_table_is_waited_for_in_short_turns(darkroom, monkeypatch):
    """A long reader delays the change; it must not make the writers behind it wait."""
    monkeypatch.setattr(online, "LOCK_WAIT", "50ms")
    reader = darkroom.app
    reader.autocommit = False
    darkroom.sql("SELECT count(*) FROM darkroom_photo")
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            reader.rollback()
            reader.autocommit = True

    monkeypatch.setattr(online.time, "sleep", pause)
    darkroom.migrate(AddFilledField("photo", "code", code_field()))
    assert len(pauses) == 3
    assert "code" in darkroom.columns()


def test_a_batch_that_waits_in_a_circle_is_filled_again(darkroom, monkeypatch):
    def lose(number):
        if number == 2:
            with connections["owner"].cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$")

    pauses = []
    monkeypatch.setattr(online.time, "sleep", pauses.append)
    batches = watch_batches(monkeypatch, lose)
    darkroom.migrate(AddFilledField("photo", "code", code_field()))
    assert (len(pauses), len(batches)) == (1, 6)
    assert darkroom.leftovers() == set()


def test_the_operations_refuse_to_run_inside_one_transaction(darkroom):
    with transaction.atomic("owner"), pytest.raises(NotSupportedError):
        darkroom.migrate(AddFilledField("photo", "code", code_field()))


def test_a_required_column_without_a_default_is_refused():
    with pytest.raises(ValueError, match="db_default"):
        AddFilledField("photo", "code", models.UUIDField())
    with pytest.raises(ValueError, match="AddUniqueConcurrently"):
        AddFilledField("photo", "code", models.UUIDField(unique=True, null=True))


def test_a_field_is_forgotten_first_and_its_column_dropped_a_release_later(darkroom):
    forgotten = darkroom.migrate(ForgetField("photo", "caption", refill="'untitled'"))
    darkroom.sql(INSERT, "by the running version")
    darkroom.sql("INSERT INTO darkroom_photo (note) VALUES ('by the new version')")
    dropped = darkroom.migrate(
        DropForgottenField("photo", "caption", models.CharField(max_length=100))
    )
    assert "caption" not in darkroom.columns()
    darkroom.reverse(dropped)
    assert darkroom.columns()["caption"] == ("character varying(100)", False, None)
    darkroom.reverse(forgotten)
    assert darkroom.columns()["caption"] == ("character varying(100)", True, None)
    assert darkroom.sql("SELECT DISTINCT caption FROM darkroom_photo") == [
        ("untitled",)
    ]
