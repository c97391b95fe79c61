"""The daily statistics: right sums, and each person's row for that person alone."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.contracts.people import (
    connected,
    everybody_may_create,
    insert_image,
    insert_job,
    insert_user,
)
from tests.database import (
    app_connection,
    flush_as_administrator,
    readonly_connection,
)

REFRESH = "REFRESH MATERIALIZED VIEW CONCURRENTLY user_stats"


@pytest.fixture
def people(django_db_setup: None) -> Iterator[dict[str, UUID]]:
    """Alice with three jobs, two pictures and a mask, bob with nothing; all fresh."""
    with connected("service_user") as service:
        alice, bob = insert_user(service, "alice"), insert_user(service, "bob")
        jobs = [insert_job(service, alice, credits) for credits in (5, 7, None)]
        insert_image(service, alice, jobs[0])
        insert_image(service, alice)
        # No gallery shows it, and nobody counts it among what was made.
        mask = insert_image(service, alice)
        service.execute("UPDATE images SET origin = 'mask' WHERE id = %s", [mask])
        service.execute(REFRESH)
    yield {"alice": alice, "bob": bob}
    flush_as_administrator()
    with connected("service_user") as service:
        service.execute(REFRESH)


def test_several_jobs_and_pictures_do_not_multiply_each_other(people):
    with connected("service_user") as service:
        rows = service.execute("SELECT * FROM user_stats").fetchall()
    assert set(rows) == {
        (people["alice"], "free", 3, 2, 12),
        (people["bob"], "free", 0, 0, 0),
    }


def test_the_service_refreshes_while_people_read(people):
    with connected("app_user", people["alice"]) as reader:
        reader.execute("SELECT * FROM user_stats_own")
        with connected("service_user") as service:
            insert_job(service, people["alice"], 8)
            service.execute("SET LOCAL lock_timeout = '2s'")
            service.execute(REFRESH)
        row = reader.execute("SELECT * FROM user_stats_own").fetchone()
    assert row == (people["alice"], "free", 4, 2, 20)


def test_people_see_their_own_row_and_no_other(people):
    for user in people.values():
        with connected("app_user", user) as connection:
            rows = connection.execute("SELECT user_id FROM user_stats_own").fetchall()
        assert rows == [(user,)]


def test_nobody_sees_no_row_and_no_error(people):
    with app_connection() as connection:
        assert connection.execute("SELECT * FROM user_stats_own").fetchall() == []


def test_a_function_of_the_reader_does_not_see_other_rows(people):
    """The view is a security barrier: its filter runs before the reader's own."""
    with (
        everybody_may_create(),
        connected("app_user", people["alice"]) as connection,
    ):
        connection.execute(
            "CREATE FUNCTION pg_temp.tell(integer) RETURNS boolean LANGUAGE plpgsql"
            " COST 0.0001 AS $$ BEGIN RAISE NOTICE 'seen'; RETURN true; END $$"
        )
        seen: list[str] = []
        connection.add_notice_handler(lambda note: seen.append(note.message_primary))
        connection.execute(
            "SELECT * FROM user_stats_own WHERE pg_temp.tell(total_images::integer)"
        )
    assert seen == ["seen"]


@pytest.mark.parametrize("statement", ["TABLE user_stats", REFRESH])
def test_people_cannot_reach_the_statistics_themselves(people, statement):
    with (
        pytest.raises(InsufficientPrivilege),
        connected("app_user", people["alice"]) as connection,
    ):
        connection.execute(statement)


@pytest.mark.parametrize("statement", ["TABLE user_stats", "TABLE user_stats_own"])
def test_sign_in_cannot_reach_them_either(people, statement):
    with (
        pytest.raises(InsufficientPrivilege),
        connected("identity_user") as connection,
    ):
        connection.execute(statement)


def test_analysts_read_every_row(people):
    with readonly_connection() as connection:
        rows = connection.execute("SELECT user_id FROM user_stats").fetchall()
    assert {row[0] for row in rows} == set(people.values())
