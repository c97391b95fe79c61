"""What a request costs in round trips to PostgreSQL, the pool's check included."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tests.cast import make_user
from tests.core.flights import flights_in, serve, traced_pool

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.core.actor_urls"),
]


@pytest.fixture
def signed_in():
    """The cookie of a user whose session has been read once, as in a browser's life."""
    client = Client()
    client.force_login(make_user("alice"))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].OutputString()
    connection.close()
    serve("/whoami", cookie)
    return cookie


def test_a_signed_in_page_costs_four_flights(signed_in, tmp_path):
    with traced_pool(tmp_path) as flights:
        assert serve("/boards/count", signed_in) == (200, b"0")
        check, user, page, commit = flights()
    assert check == '""'
    assert user.startswith('"BEGIN; SET LOCAL ROLE app_user; SET LOCAL app.current')
    assert ' FROM "users"' in user
    assert ' FROM "boards"' in page
    assert commit == '"COMMIT"'


def test_a_page_for_nobody_costs_no_flight_for_an_actor(tmp_path):
    connection.close()
    serve("/whoami")
    with traced_pool(tmp_path) as flights:
        assert serve("/whoami") == (200, b"app_user -")
        check, question, commit = flights()
    assert check == '""'
    assert question.startswith('"BEGIN; SELECT current_user')
    assert commit == '"COMMIT"'


def test_the_trace_counts_simple_and_extended_queries():
    trace = (
        'F\t13\tQuery\t "BEGIN"\nB\t10\tCommandComplete\t "BEGIN"\n'
        'F\t20\tParse\t "" "SELECT 1" 0\nF\t14\tBind\t "" "" 0 0\nF\t4\tSync\n'
    )
    assert flights_in(trace) == ['"BEGIN"', '"" "SELECT 1" 0']
