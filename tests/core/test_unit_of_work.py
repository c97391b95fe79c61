"""A request's transaction may end before the request does."""

from __future__ import annotations

import pytest
from django.db import connection

from gallery.models import Board
from pingvas.core.db.actor import NOBODY, SERVICE, acting_as, current_actor, user_actor
from pingvas.core.db.unit_of_work import (
    UnitOfWorkOpen,
    end_unit_of_work,
    refuse_open_unit_of_work,
    roll_back_unit_of_work,
    unit_of_work,
)
from tests.cast import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice():
    return make_user("alice")


def write(user, name="a"):
    Board.objects.create(user=user, name=name)


def boards():
    with acting_as(SERVICE):
        return sorted(board.name for board in Board.objects.all())


def test_what_was_written_is_committed_and_nobody_acts(alice):
    with unit_of_work(user_actor(alice.id)):
        write(alice)
        end_unit_of_work()
        assert not connection.in_atomic_block
        assert current_actor() == NOBODY
        refuse_open_unit_of_work()
        assert boards() == ["a"]
        end_unit_of_work()


def test_an_error_that_comes_later_takes_nothing_back(alice):
    def request():
        with unit_of_work(user_actor(alice.id)):
            write(alice)
            end_unit_of_work()
            roll_back_unit_of_work()
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        request()
    assert boards() == ["a"]


def test_an_error_before_takes_back_all(alice):
    def request():
        with unit_of_work(user_actor(alice.id)):
            write(alice)
            raise ValueError("before")

    with pytest.raises(ValueError, match="before"):
        request()
    with unit_of_work(user_actor(alice.id)):
        write(alice)
        roll_back_unit_of_work()
    with unit_of_work(user_actor(alice.id)):
        write(alice)
        roll_back_unit_of_work()
        end_unit_of_work()
    assert boards() == []


def test_work_that_comes_after_has_a_transaction_of_its_own(alice):
    with unit_of_work(user_actor(alice.id)):
        end_unit_of_work()
        with acting_as(user_actor(alice.id)):
            write(alice)
        assert boards() == ["a"]


def test_it_does_not_end_under_a_transaction_that_is_part_of_it(alice):
    with unit_of_work(user_actor(alice.id)), acting_as(SERVICE):
        with pytest.raises(UnitOfWorkOpen):
            end_unit_of_work()
        assert current_actor() == SERVICE


def test_where_there_is_none_nothing_is_ended_or_refused():
    end_unit_of_work()
    roll_back_unit_of_work()
    refuse_open_unit_of_work()
    with unit_of_work(NOBODY), pytest.raises(UnitOfWorkOpen):
        refuse_open_unit_of_work()
