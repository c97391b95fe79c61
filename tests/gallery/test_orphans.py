"""Objects that no row names go; every other object stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from gallery import orphans
from gallery.models import Image
from gallery.orphans import StoreOfAnotherDatabase, remove_orphans
from gallery.services import delete_image
from gallery.storage import store_picture
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.storage.base import StorageUnavailable
from pingvas.core.storage.keys import thumbnail_key
from pingvas.schedule import SCHEDULE, Daily
from tests.gallery.pictures import encoded, is_there, make_image, make_job, objects_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def tomorrow(monkeypatch):
    """Every object that is there now is older than a day."""
    later = timezone.now() + timedelta(days=1, minutes=1)
    monkeypatch.setattr(orphans.timezone, "now", lambda: later)


def orphan(user_id=None):
    """What a worker leaves that died between the object and the row."""
    return store_picture(encoded(), user_id=user_id or uuid4(), source_id=uuid4()).key


def test_only_old_objects_without_a_row_are_removed(alice, store, tomorrow):
    kept = make_image(alice)
    lost = orphan(alice.id)
    done = remove_orphans()
    assert (done.seen, done.orphans) == (4, 2)
    assert done.bytes > 0
    assert objects_of(store, kept) == [True, True]
    assert not is_there(store, lost)
    assert not is_there(store, thumbnail_key(lost))


def test_a_fresh_object_is_never_touched(alice, store, monkeypatch):
    lost = orphan()
    for hours in (0, 23):
        later = timezone.now() + timedelta(hours=hours)
        monkeypatch.setattr(orphans.timezone, "now", lambda later=later: later)
        done = remove_orphans()
        assert (done.seen, done.orphans) == (0, 0)
    assert is_there(store, lost)


def test_a_dry_run_counts_and_removes_nothing(store, tomorrow):
    lost = orphan()
    out = StringIO()
    call_command("remove_orphans", "--dry-run", stdout=out)
    assert out.getvalue().startswith("2 objects older than a day, 2 without a row (")
    assert out.getvalue().endswith("would be removed\n")
    assert is_there(store, lost)
    call_command("remove_orphans", stdout=StringIO())
    assert not is_there(store, lost)


def test_a_picture_whose_job_is_gone_keeps_its_objects(alice, local_store, tomorrow):
    image = make_image(alice)
    with acting_as(SERVICE):
        GenerationJob.objects.all().delete()
        image.refresh_from_db()
        assert image.job_id is None
    orphan(alice.id)
    assert remove_orphans().orphans == 2
    assert objects_of(local_store, image) == [True, True]


def test_only_pictures_are_judged(local_store, tomorrow):
    local_store.put("models/x/weights", b"w", content_type="x")
    local_store.put("avatars/x.png", b"a", content_type="x")
    assert remove_orphans().seen == 0
    assert is_there(local_store, "models/x/weights")


def test_a_key_that_we_never_made_is_an_orphan_unless_a_row_names_it(
    alice, local_store, tomorrow
):
    image = make_image(alice)
    with acting_as(SERVICE):
        Image.objects.filter(id=image.id).update(s3_key="images/imported/cat.png")
    for key in ("images/imported/cat.png", "images/imported/dog.png"):
        local_store.put(key, b"x", content_type="image/png")
    remove_orphans()
    assert is_there(local_store, "images/imported/cat.png")
    assert not is_there(local_store, "images/imported/dog.png")


def test_the_rows_are_asked_for_a_page_at_a_time(
    alice, store, tomorrow, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(f"{type(store).__module__}.PAGE", 10)
    for colour in ("red", "green", "blue"):
        make_image(alice, colour)
    for _ in range(7):
        orphan(alice.id)
    with django_assert_max_num_queries(2 * 2 + 4 * 2 + 2):
        done = remove_orphans()
    assert (done.seen, done.orphans) == (20, 14)


def test_the_store_of_another_database_is_not_emptied(store, tomorrow, monkeypatch):
    monkeypatch.setattr(orphans, "SUSPICIOUS", 4)
    keys = [orphan() for _ in range(3)]
    with pytest.raises(StoreOfAnotherDatabase):
        remove_orphans()
    with pytest.raises(CommandError, match="6 of 6 have no row"):
        call_command("remove_orphans")
    assert all(is_there(store, key) for key in keys)
    call_command("remove_orphans", "--force", stdout=StringIO())
    assert not any(is_there(store, key) for key in keys)


@pytest.mark.django_db(transaction=True)
def test_what_a_deletion_could_not_remove_is_swept(
    alice, local_store, tomorrow, monkeypatch
):
    image = make_image(alice)

    def away(self, keys):
        raise StorageUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(type(local_store), "delete", away)
        with acting_as(user_actor(alice.id)):
            delete_image(user_id=alice.id, image_id=image.id)
    assert objects_of(local_store, image) == [True, True]
    remove_orphans()
    assert objects_of(local_store, image) == [False, False]


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_is_rolled_back_removes_nothing(alice, local_store):
    image = make_image(alice)
    with acting_as(user_actor(alice.id)):
        delete_image(user_id=alice.id, image_id=image.id)
        transaction.set_rollback(True)
    assert objects_of(local_store, image) == [True, True]
    with acting_as(user_actor(alice.id)):
        assert Image.objects.filter(id=image.id).exists()


WORKER = """
import os, signal, sys
import django
django.setup()
from uuid import UUID
from gallery.storage import store_picture
from tests.gallery.pictures import encoded

user_id, job_id = (UUID(each) for each in sys.argv[1:])
picture = store_picture(encoded(), user_id=user_id, source_id=job_id)
print(picture.key, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_killed_between_object_and_row_leaves_what_the_sweep_removes(
    alice, local_store, settings, tomorrow
):
    job = make_job(alice)
    killed = subprocess.run(
        [sys.executable, "-c", WORKER, str(alice.id), str(job.id)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "pingvas.settings",
            "MEDIA_ROOT": str(settings.MEDIA_ROOT),
        },
    )
    assert killed.returncode == -signal.SIGKILL
    key = killed.stdout.strip()
    assert is_there(local_store, key)
    with acting_as(SERVICE):
        assert not Image.objects.filter(job_id=job.id).exists()
    remove_orphans()
    assert not is_there(local_store, key)


def test_the_sweep_is_scheduled_every_day():
    (entry,) = [each for each in SCHEDULE if each.task == "gallery.remove_orphans"]
    assert isinstance(entry.when, Daily)
    assert entry.expires < timedelta(days=1)
