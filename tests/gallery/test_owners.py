"""What belongs together has one owner, whoever writes the rows: the house as well."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from gallery.models import Board, BoardImage, Image
from generation.models import Workflow
from pingvas.core.db.actor import SERVICE, acting_as
from tests.cast import make_user
from tests.gallery.pictures import make_image, make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def bobs():
    """A private picture of somebody else's."""
    return make_image(make_user("bob"))


def publish(image: Image) -> None:
    with acting_as(SERVICE):
        Image.objects.filter(pk=image.pk).update(is_public=True)


def test_a_picture_is_of_its_jobs_user_whoever_writes(alice, bobs):
    job = make_job(alice)
    with pytest.raises(IntegrityError, match="another user's job"), acting_as(SERVICE):
        Image.objects.filter(pk=bobs.pk).update(job=job)
    with pytest.raises(IntegrityError, match="another user's job"), acting_as(SERVICE):
        Image.objects.filter(pk=bobs.pk).update(user=alice)
    with acting_as(SERVICE):
        # An account that is merged into another takes its pictures along, not its jobs.
        Image.objects.filter(pk=bobs.pk).update(user=alice, job=None)


def test_a_board_shows_its_users_pictures_and_public_ones(alice, bobs):
    with acting_as(SERVICE):
        board = Board.objects.create(user=alice, name="sea")
    refused = "another user's private picture"
    with pytest.raises(IntegrityError, match=refused), acting_as(SERVICE):
        Board.objects.filter(pk=board.pk).update(cover_image=bobs)
    with pytest.raises(IntegrityError, match=refused), acting_as(SERVICE):
        BoardImage.objects.create(board=board, image=bobs)
    publish(bobs)
    with acting_as(SERVICE):
        Board.objects.filter(pk=board.pk).update(cover_image=bobs)
        BoardImage.objects.create(board=board, image=bobs)


def test_a_workflow_shows_its_users_picture_or_a_public_one(alice, bobs):
    values = {"user": alice, "name": "soft", "workflow_data": {}}
    refused = "another user's private picture"
    with pytest.raises(IntegrityError, match=refused), acting_as(SERVICE):
        Workflow.objects.create(**values, thumbnail_image=bobs)
    publish(bobs)
    with acting_as(SERVICE):
        assert Workflow.objects.create(**values, thumbnail_image=bobs)
