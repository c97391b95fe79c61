"""Lists page by key: nothing twice, nothing missed, whatever is written meanwhile."""

from __future__ import annotations

import base64
import json
from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from gallery.models import Board
from pingvas.core.api.pagination import KeyPagination
from pingvas.core.db.actor import acting_as, user_actor
from tests.cast import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class BoardSerializer(serializers.ModelSerializer):
    class Meta:
        model = Board
        fields = ("id", "name")


class Boards(ListAPIView):
    serializer_class = BoardSerializer
    pagination_class = KeyPagination

    def get_queryset(self):
        return Board.objects.filter(user=self.request.user)


class ByName(KeyPagination):
    order = ("name",)


class BoardsByName(Boards):
    pagination_class = ByName


urlpatterns = [
    path("api/v1/boards", Boards.as_view()),
    path("api/v1/boards-by-name", BoardsByName.as_view()),
]


def make_boards(user, count, prefix="board"):
    """Made in one statement, so at one instant: only ids settle their order."""
    rows = [Board(user=user, name=f"{prefix} {n:02}") for n in range(count)]
    with acting_as(user_actor(user.id)):
        return Board.objects.bulk_create(rows)


@pytest.fixture
def alice(client):
    user = make_user("alice")
    client.force_login(user)
    return user


def page(client, where="/api/v1/boards", **query):
    answer = client.get(where, query)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert list(body) == ["results", "next"]
    return body


def walk(client, where="/api/v1/boards", **query):
    """Names of every page in turn."""
    found, after = [], {}
    while True:
        body = page(client, where, **query, **after)
        found.append([row["name"] for row in body["results"]])
        if body["next"] is None:
            return found
        after = {"after": body["next"]}


def test_pages_hold_every_row_once_although_all_were_made_at_one_instant(client, alice):
    boards = make_boards(alice, 7)
    pages = walk(client, limit=3)
    assert [len(names) for names in pages] == [3, 3, 1]
    newest_first = [b.name for b in sorted(boards, key=lambda b: b.id, reverse=True)]
    assert list(chain.from_iterable(pages)) == newest_first


def test_newer_rows_come_first(client, alice):
    make_boards(alice, 2, "old")
    with connection.cursor() as cursor:
        # The tests' transaction has one now(): age what is there.
        cursor.execute("SET LOCAL ROLE service_user")
        cursor.execute("UPDATE boards SET created_at = created_at - interval '1 us'")
        cursor.execute("SET LOCAL ROLE NONE")
    make_boards(alice, 2, "new")
    names = chain.from_iterable(walk(client, limit=1))
    assert [name[:3] for name in names] == ["new", "new", "old", "old"]


def test_a_row_added_between_two_pages_shifts_nothing(client, alice):
    make_boards(alice, 4)
    where = "/api/v1/boards-by-name"
    first = page(client, where, limit=2)
    make_boards(alice, 1, "a newcomer before the first")
    second = page(client, where, limit=2, after=first["next"])
    names = [row["name"] for row in first["results"] + second["results"]]
    assert names == [f"board {n:02}" for n in range(4)]


def test_a_full_last_page_says_that_it_is_the_last(client, alice):
    make_boards(alice, 2)
    assert page(client, limit=2)["next"] is None


def test_an_empty_list_is_a_page_too(client, alice):
    assert page(client) == {"results": [], "next": None}


def test_twenty_rows_are_the_default(client, alice):
    make_boards(alice, 21)
    assert len(page(client)["results"]) == 20


@pytest.mark.parametrize("limit", ["0", "-1", "101", "many", "1.5", "", "²", "9" * 50])
def test_a_wrong_limit_is_refused(client, alice, limit):
    answer = client.get("/api/v1/boards", {"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert list(answer.json()["error"]["fields"]) == ["limit"]


def cursor_of(*values):
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "é",
        "A" * 401,
        cursor_of("2026-01-01T00:00:00+00:00"),
        cursor_of("2026-01-01T00:00:00+00:00", "no uuid"),
        cursor_of("2026-01-01T00:00:00", "00000000-0000-0000-0000-000000000000"),
        cursor_of("yesterday", "00000000-0000-0000-0000-000000000000"),
        cursor_of(*[True, "00000000-0000-0000-0000-000000000000"]),
        cursor_of(None, None),
        cursor_of({"a": 1}, [2]),
        cursor_of("' OR true --", "00000000-0000-0000-0000-000000000000"),
        cursor_of("9999-12-31T23:59:59-23:59", "00000000-0000-0000-0000-000000000000"),
        cursor_of("0001-01-01T00:00:00+23:59", "00000000-0000-0000-0000-000000000000"),
        cursor_of(10**30, "00000000-0000-0000-0000-000000000000"),
        base64.urlsafe_b64encode(b"[" * 300).decode(),
    ],
)
def test_a_made_up_cursor_is_refused(client, alice, cursor):
    answer = client.get("/api/v1/boards", {"after": cursor})
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["after"]


END_OF_TIME = "9999-12-31T23:59:59+23:59"


def test_the_ends_of_the_calendar_are_cursors_in_utc(client, alice):
    make_boards(alice, 1)
    nobody = "00000000-0000-0000-0000-000000000000"
    assert len(page(client, after=cursor_of(END_OF_TIME, nobody))["results"]) == 1


@pytest.mark.parametrize("name", ["nul \0", "half \ud800", None])
def test_a_name_that_postgresql_cannot_hold_is_no_cursor(client, alice, name):
    answer = client.get("/api/v1/boards-by-name", {"after": cursor_of(name)})
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["after"]


def test_another_users_cursor_shows_none_of_their_rows(client, alice):
    bob = make_user("bob")
    make_boards(bob, 3, "bob's")
    client.force_login(bob)
    cursor = page(client, limit=1)["next"]
    client.force_login(alice)
    make_boards(alice, 3)
    names = [row["name"] for row in page(client, after=cursor)["results"]]
    assert not [name for name in names if name.startswith("bob")]


def test_no_page_is_counted_or_skipped_to(client, alice):
    make_boards(alice, 3)
    cursor = page(client, limit=1)["next"]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page(client, limit=1, after=cursor)
    lists = [q["sql"] for q in queries if 'FROM "boards"' in q["sql"]]
    assert len(lists) == 1
    assert "OFFSET" not in lists[0]
    assert "COUNT" not in lists[0]
