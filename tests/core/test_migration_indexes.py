from __future__ import annotations

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, NotSupportedError, models, transaction
from django.db.migrations.operations import AddField

from pingvas.core.db.operations import (
    AddIndexConcurrently,
    AddUniqueConcurrently,
    RemoveIndexConcurrently,
)
from pingvas.core.db.schema import GinIndex, Index
from tests.core.darkroom import TABLE, open_darkroom

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
LONG_NAME = "idx_darkroom_photo_caption_of_every_picture_on_the_shelf"


@pytest.fixture
def darkroom():
    with open_darkroom() as room:
        room.sql(
            "INSERT INTO darkroom_photo (caption) "
            "SELECT 'picture ' || n FROM generate_series(1, 20) n"
        )
        yield room


def indexes(darkroom):
    rows = darkroom.sql(
        "SELECT c.relname, i.indisvalid FROM pg_index i "
        "JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = %s::regclass "
        "AND NOT i.indisprimary",
        TABLE,
    )
    return dict(rows)


def constraints(darkroom):
    return darkroom.sql(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype = 'u'",
        TABLE,
    )


def test_our_indexes_are_built_and_removed_concurrently(darkroom):
    tags = ArrayField(models.TextField(), null=True)
    darkroom.migrate(AddField("photo", "tags", tags))
    plain = Index(fields=["caption"], name=LONG_NAME, condition=models.Q(note__ne="x"))
    gin = GinIndex(fields=["tags"], name="idx_darkroom_photo_tags_gin")
    added = darkroom.migrate(
        AddIndexConcurrently("photo", plain), AddIndexConcurrently("photo", gin)
    )
    assert indexes(darkroom) == {LONG_NAME: True, gin.name: True}
    removed = darkroom.migrate(RemoveIndexConcurrently("photo", LONG_NAME))
    assert indexes(darkroom) == {gin.name: True}
    darkroom.reverse(removed)
    darkroom.reverse(added)
    assert indexes(darkroom) == {}


def test_an_index_needs_a_migration_without_a_transaction(darkroom):
    index = Index(fields=["caption"], name=LONG_NAME)
    with transaction.atomic("owner"), pytest.raises(NotSupportedError):
        darkroom.migrate(AddIndexConcurrently("photo", index))


def test_an_index_left_invalid_is_built_again_and_a_finished_one_kept(darkroom):
    unique = models.UniqueConstraint(fields=["shelf"], name="darkroom_photo_shelf_key")
    with pytest.raises(IntegrityError):
        darkroom.migrate(AddUniqueConcurrently("photo", unique))
    assert indexes(darkroom) == {unique.name: False}
    index = Index(fields=["shelf"], name=unique.name)
    darkroom.migrate(AddIndexConcurrently("photo", index))
    assert indexes(darkroom) == {unique.name: True}
    darkroom.migrate(AddIndexConcurrently("photo", Index(["note"], name=unique.name)))
    assert indexes(darkroom) == {unique.name: True}


def test_a_unique_constraint_takes_an_index_that_was_built_before(darkroom):
    unique = models.UniqueConstraint(fields=["caption"], name="darkroom_photo_key")
    added = darkroom.migrate(AddUniqueConcurrently("photo", unique))
    assert constraints(darkroom) == [("darkroom_photo_key", "UNIQUE (caption)")]
    assert unique in darkroom.state.models["darkroom", "photo"].options["constraints"]
    darkroom.reverse(added)
    assert indexes(darkroom) == {}


def test_repeated_values_stop_a_unique_constraint_until_they_are_put_right(darkroom):
    unique = models.UniqueConstraint(fields=["shelf"], name="darkroom_photo_shelf_key")
    with pytest.raises(IntegrityError):
        darkroom.migrate(AddUniqueConcurrently("photo", unique))
    darkroom.sql("UPDATE darkroom_photo SET shelf = right(caption, 2)")
    darkroom.migrate(AddUniqueConcurrently("photo", unique))
    assert constraints(darkroom) == [(unique.name, "UNIQUE (shelf)")]


def test_a_partial_unique_constraint_stays_an_index(darkroom):
    unique = models.UniqueConstraint(
        fields=["caption"],
        condition=models.Q(note__isnull=True),
        name="one_without_note",
    )
    added = darkroom.migrate(AddUniqueConcurrently("photo", unique))
    assert indexes(darkroom) == {"one_without_note": True}
    assert constraints(darkroom) == []
    darkroom.reverse(added)
    assert indexes(darkroom) == {}
