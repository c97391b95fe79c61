"""BEGIN and the actor go along with a transaction's first statement, whatever it is."""

from __future__ import annotations

import pytest
from django.db import Error, ProgrammingError, connection, transaction

from accounts.models import User
from pingvas.core.db.actor import (
    IDENTITY,
    NOBODY,
    SERVICE,
    acting_as,
    become,
    user_actor,
)
from pingvas.core.db.postgresql.base import Cursor, deferred_of
from tests.cast import make_user
from tests.core.flights import traced_pool

pytestmark = pytest.mark.django_db(transaction=True)

WHO = (
    "SELECT current_user, current_setting('app.current_user_id', true), "
    "pg_current_xact_id_if_assigned() IS NOT NULL"
)


@pytest.fixture
def alice():
    return make_user("alice")


def ask(statement: str = WHO) -> tuple[object, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return tuple(cursor.fetchone())


def rename(name: str) -> int:
    return User.objects.filter(email="alice@example.com").update(display_name=name)


def name_of(user: User) -> str | None:
    with acting_as(SERVICE):
        return User.objects.get(pk=user.pk).display_name


def test_a_transaction_that_asks_nothing_costs_no_flight(alice, tmp_path):
    connection.close()
    with traced_pool(tmp_path) as flights:
        with acting_as(SERVICE):
            pass
        connection.close()
        # The pool's check of the connection alone.
        assert flights() == ['""']


def test_an_actor_taken_before_the_first_statement_costs_none_either(alice, tmp_path):
    connection.close()
    with traced_pool(tmp_path) as flights:
        with acting_as(NOBODY):
            become(user_actor(alice.id))
            assert ask()[:2] == ("app_user", str(alice.id))
        connection.close()
        assert len(flights()) == 3


@pytest.mark.parametrize("actor", [SERVICE, IDENTITY])
def test_the_first_statement_runs_as_the_actor_and_is_taken_back(alice, actor):
    with acting_as(actor):
        assert rename("new") == 1
        transaction.set_rollback(True)
    assert name_of(alice) is None
    with acting_as(actor):
        assert ask()[0] == actor.role
        rename("new")
    assert name_of(alice) == "new"


def ask_wrongly_first(statement: str) -> None:
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_mistake_in_grammar_does_not_let_the_next_statement_out(alice):
    """PostgreSQL reads the whole flight before it runs any of it."""
    with acting_as(SERVICE):
        ask_wrongly_first("SELEC 1")
        rename("outside")
        transaction.set_rollback(True)
    assert name_of(alice) is None


def test_control_a_begin_that_is_forgotten_lets_it_out(alice, monkeypatch):
    execute = Cursor.execute

    def forget(cursor, *call, **options):
        try:
            return execute(cursor, *call, **options)
        finally:
            deferred_of(cursor.connection).forget()

    monkeypatch.setattr(Cursor, "execute", forget)
    with transaction.atomic():
        ask_wrongly_first("SELEC 1")
        inside = connection.connection.info.transaction_status.name
    assert inside == "IDLE"


def test_a_mistake_in_a_name_dooms_the_transaction_as_ever(alice):
    with acting_as(SERVICE):
        ask_wrongly_first("SELECT * FROM nothing_of_this_name")
        with pytest.raises(Error):
            rename("doomed")
        transaction.set_rollback(True)
    assert name_of(alice) is None


def test_a_savepoint_may_come_first(alice):
    with acting_as(NOBODY):
        with acting_as(user_actor(alice.id)):
            assert rename("inside") == 1
        assert ask()[:2] == ("app_user", "")
    assert name_of(alice) == "inside"


def test_what_is_read_in_pieces_is_read_as_the_actor(alice):
    with acting_as(SERVICE):
        assert [user.id for user in User.objects.iterator(chunk_size=1)] == [alice.id]


def test_many_statements_at_once_are_one_transaction(alice):
    with acting_as(SERVICE):
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE users SET display_name = %s", [["first"], ["second"]]
            )
        transaction.set_rollback(True)
    assert name_of(alice) is None


def close_before_anything_is_asked() -> None:
    with acting_as(SERVICE):
        connection.close()


def test_whoever_gets_the_connection_next_begins_nothing_of_the_last(alice, tmp_path):
    connection.close()
    # One connection is left in the pool: the next one to ask gets the same.
    with traced_pool(tmp_path):
        close_before_anything_is_asked()
        connection.connect()
        found = ask()[:2]
        status = connection.connection.info.transaction_status.name
        connection.close()
    assert found in {("app_user", ""), ("app_user", None)}
    assert status == "IDLE"


def test_a_transaction_that_asked_nothing_leaves_nothing_behind(alice):
    with acting_as(SERVICE):
        pass
    with acting_as(user_actor(alice.id)):
        transaction.set_rollback(True)
    assert ask()[:2] in {("app_user", ""), ("app_user", None)}
    assert connection.connection.info.transaction_status.name == "IDLE"
