"""A change of who acts travels with the next statement, and never stays by mistake."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from pingvas.core.db.actor import (
    SERVICE,
    ActorOutsideTransaction,
    acting_as,
    become,
    current_actor,
    user_actor,
)
from tests.cast import make_user
from tests.core.flights import traced_pool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def actor(alice):
    return user_actor(alice.id)


def ask(statement: str = "SELECT current_user::text") -> str:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0])


def fail(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def rename_and_fail(user: User, statement: str) -> None:
    with acting_as(SERVICE, savepoint=False):
        User.objects.filter(pk=user.pk).update(display_name="lost")
        fail(statement)


def be_about_to_act_and_fail() -> None:
    with transaction.atomic():
        become(SERVICE)
        raise LookupError


def act_and_fail() -> None:
    with acting_as(SERVICE):
        assert ask() == "service_user"
        raise LookupError


def test_a_change_costs_no_flight_and_one_that_asks_nothing_sends_nothing(
    actor, tmp_path
):
    connection.close()
    with traced_pool(tmp_path) as flights:
        with acting_as(actor):
            assert ask() == "app_user"
            with acting_as(SERVICE, savepoint=False):
                assert ask() == "service_user"
                assert ask() == "service_user"
            assert ask() == "app_user"
            with acting_as(SERVICE, savepoint=False):
                pass
            assert ask() == "app_user"
        connection.close()
        check, *asked, commit = flights()
    assert check == '""'
    assert commit == '"COMMIT"'
    assert [text.count("SET LOCAL ROLE") for text in asked] == [1, 1, 0, 1, 0]


# Each leaves the transaction, or a part of it, in a state of PostgreSQL's own.
MISTAKES = ["SELEC 1", "SELECT * FROM nothing_of_this_name", "SELECT 1 / 0"]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_the_house_in_a_savepoint_leaves_the_user_acting(actor, mistake):
    with acting_as(actor):
        assert ask() == "app_user"
        with pytest.raises(DatabaseError), acting_as(SERVICE):
            fail(mistake)
        assert current_actor() == actor
        assert ask() == "app_user"
        assert ask("SELECT count(*) FROM users") == "1"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_a_user_in_the_houses_transaction_leaves_the_house_acting(
    actor, mistake
):
    with acting_as(SERVICE):
        with pytest.raises(DatabaseError), acting_as(actor):
            fail(mistake)
        assert ask() == "service_user"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_without_a_savepoint_a_mistake_dooms_the_whole(actor, mistake, alice):
    with acting_as(actor):
        with pytest.raises(DatabaseError):
            rename_and_fail(alice, mistake)
        assert connection.needs_rollback
        with pytest.raises(transaction.TransactionManagementError):
            ask()
    assert current_actor() != SERVICE
    with acting_as(SERVICE):
        assert User.objects.get(pk=alice.pk).display_name is None


def test_a_change_that_was_put_off_is_dropped_with_the_savepoint(actor):
    """The house was about to act when the part of the transaction was undone."""
    with acting_as(actor):
        with pytest.raises(LookupError):
            be_about_to_act_and_fail()
        assert current_actor() == actor
        assert ask() == "app_user"


@pytest.mark.parametrize(
    ("query", "values"),
    [("SELECT %s", ["a\0"]), ("SELECT %s, %s", ["too few"]), ("SELECT %(a)s", {})],
)
def test_what_was_refused_before_it_was_sent_has_told_nothing(actor, query, values):
    """The driver looks at the values; PostgreSQL never heard who was to act."""
    with acting_as(SERVICE):
        assert ask() == "service_user"
        become(actor)
        with pytest.raises((ValueError, DatabaseError)), connection.cursor() as cursor:
            cursor.execute(query, values)
        assert ask() == "app_user"


def test_an_error_between_two_statements_takes_the_house_away(actor):
    with acting_as(actor):
        with pytest.raises(LookupError):
            act_and_fail()
        assert ask() == "app_user"


@pytest.mark.parametrize(
    "read",
    [
        lambda: [user.email for user in User.objects.iterator(chunk_size=1)],
        lambda: ask("SELECT count(*) FROM users"),
        lambda: connection.cursor().executemany("SELECT %s", [["a"]]),
    ],
    ids=["in pieces", "at once", "many"],
)
def test_whatever_comes_next_carries_the_change(actor, read):
    make_user("bob")
    with acting_as(actor):
        ask()
        with acting_as(SERVICE, savepoint=False):
            read()
            assert ask() == "service_user"
        read()
        assert ask() == "app_user"


def test_work_after_the_commit_says_anew_who_acts(actor):
    """The actor went with the transaction; what forgets that is refused, not wrong."""
    found: list[object] = []

    def ask_as_the_house() -> None:
        with acting_as(SERVICE):
            found.append(ask())

    with acting_as(actor):
        transaction.on_commit(ask_as_the_house)
        ask()
    assert found == ["service_user"]
    with pytest.raises(ActorOutsideTransaction), acting_as(actor):
        transaction.on_commit(ask)


def test_control_an_actor_that_was_not_sent_would_stay_the_one_before(
    actor, monkeypatch
):
    monkeypatch.setattr(
        "pingvas.core.db.postgresql.base.DatabaseWrapper.act_as", lambda *_: None
    )
    with acting_as(actor):
        ask()
        with acting_as(SERVICE, savepoint=False):
            assert ask() == "app_user"
