"""A request that is sent twice under one Idempotency-Key takes effect once."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from gallery.models import Board
from pingvas.core.api import idempotency
from pingvas.core.api.idempotency import idempotent, purge_idempotency_keys
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.db.functions import Now
from pingvas.core.errors import NotAllowed
from pingvas.core.models import IdempotencyKey
from pingvas.urls import urlpatterns as product_urls
from tests.cast import make_user

pytestmark = pytest.mark.urls(__name__)

WHERE = "/api/v1/test-boards"
# Longer than any wait here: a test that hangs fails instead.
PATIENCE = 20


class Boards(APIView):
    @idempotent
    def post(self, request):
        name = request.data["name"]
        # Board names are unique, which would hide a second effect.
        board = Board.objects.create(user=request.user, name=f"{name}#{uuid4()}")
        if name == "refused":
            raise NotAllowed
        if name == "broken":
            raise ZeroDivisionError
        meeting(board)
        return Response({"id": board.id, "at": board.created_at}, status=201)


def meeting(board):
    """Where the tests with threads hold a request."""


urlpatterns = [
    path("api/v1/test-boards", Boards.as_view()),
    path("api/v1/other-boards", Boards.as_view()),
    *product_urls,
]


def post(client, name="a board", key="k1", where=WHERE):
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"name": name}
    return client.post(where, body, content_type="application/json", headers=headers)


def boards_of(user):
    with acting_as(user_actor(user.id)):
        names = Board.objects.filter(user=user).values_list("name", flat=True)
        return [name.partition("#")[0] for name in names]


@pytest.fixture
def alice(db):
    return make_user("alice")


@pytest.fixture
def client(client, alice):
    client.force_login(alice)
    client.raise_request_exception = False
    return client


def test_the_same_request_again_gets_the_same_answer(client, alice):
    first, second = post(client), post(client)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert boards_of(alice) == ["a board"]


def test_another_body_under_the_key_is_refused(client, alice):
    post(client)
    answer = post(client, name="another")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "idempotency_key_reused"
    assert boards_of(alice) == ["a board"]


def test_another_path_under_the_key_is_refused(client, alice):
    post(client)
    assert post(client, where="/api/v1/other-boards").status_code == 409
    assert boards_of(alice) == ["a board"]


def test_without_a_key_every_request_counts(client, alice):
    assert [post(client, key=None).status_code for _ in range(2)] == [201, 201]
    assert len(boards_of(alice)) == 2


def test_a_key_is_its_users_own(client, alice):
    bob = make_user("bob")
    first = post(client)
    client.force_login(bob)
    second = post(client)
    assert second.status_code == 201
    assert first.json()["id"] != second.json()["id"]
    assert (boards_of(alice), boards_of(bob)) == (["a board"], ["a board"])


@pytest.mark.parametrize("name", ["refused", "broken"])
def test_a_request_that_failed_leaves_its_key_free(client, alice, name):
    assert post(client, name=name).status_code in {403, 500}
    answer = post(client)
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer
    assert boards_of(alice) == ["a board"]


@pytest.mark.parametrize("key", ["", "k" * 256, "키"])
def test_a_key_that_is_none_is_refused(client, alice, key):
    header = {"HTTP_IDEMPOTENCY_KEY": key}
    answer = client.post(WHERE, "{}", content_type="application/json", **header)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["Idempotency-Key"]


def test_a_key_of_255_characters_is_one(client, alice):
    assert post(client, key="k" * 255).status_code == 201


def test_a_body_that_is_too_large_is_refused(client, alice, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert post(client, name="n" * 100).status_code == 413
    assert post(client, name="n" * 100, key=None).status_code == 413


def test_a_form_is_refused_with_a_key_and_without(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    for headers in ({}, {"Idempotency-Key": "k1"}):
        answer = client.post(WHERE, {"name": "a form"}, headers=headers)
        # Refused for its missing CSRF token, which the form was searched for.
        assert answer.status_code == 403
    client = Client()
    client.force_login(alice)
    for headers in ({}, {"Idempotency-Key": "k1"}):
        answer = client.post(WHERE, {"name": "a form"}, headers=headers)
        assert answer.status_code == 415
    assert boards_of(alice) == []


def age_keys(by):
    with acting_as(SERVICE):
        IdempotencyKey.objects.update(created_at=Now() - by)


def test_a_key_counts_for_24_hours(client, alice):
    first = post(client)
    age_keys(timedelta(hours=23, minutes=59))
    assert post(client).json() == first.json()
    age_keys(timedelta(hours=24, minutes=1))
    later = post(client, name="the next day")
    assert later.status_code == 201
    assert post(client, name="the next day").json() == later.json()
    assert sorted(boards_of(alice)) == ["a board", "the next day"]


def test_old_keys_are_purged_and_young_ones_kept(client, alice):
    post(client, key="old")
    age_keys(timedelta(hours=24, minutes=1))
    post(client, key="young")
    assert purge_idempotency_keys() == 1
    with acting_as(user_actor(alice.id)):
        assert [k.key for k in IdempotencyKey.objects.all()] == ["young"]


class Race:
    """Two requests with one key, the first held in its handler until told."""

    def __init__(self, monkeypatch, user):
        self.user = user
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.answers = {}
        self.fail_first = False
        monkeypatch.setattr(f"{__name__}.meeting", self.hold)

    def hold(self, board):
        if not self.entered.is_set():
            self.entered.set()
            assert self.go_on.wait(PATIENCE)
            if self.fail_first:
                raise NotAllowed

    def start(self, name):
        def request():
            client = Client()
            client.cookies = self.cookies
            self.answers[name] = post(client)
            connections.close_all()

        thread = threading.Thread(target=request)
        thread.start()
        return thread

    def run(self):
        client = Client()
        client.force_login(self.user)
        self.cookies = client.cookies
        first = self.start("first")
        assert self.entered.wait(PATIENCE)
        second = self.start("second")
        self.wait_for_second(second)
        self.go_on.set()
        for thread in (first, second):
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def wait_for_second(self, second):
        """Until the second request stands at the key, or has run through."""
        while second.is_alive():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT 1 FROM pg_locks waiting JOIN pg_locks held USING (pid)"
                    " JOIN pg_database here ON here.oid = held.database"
                    " WHERE here.datname = current_database() AND NOT waiting.granted"
                )
                if cursor.fetchone():
                    return
            second.join(0.02)


@pytest.fixture
def race(monkeypatch, transactional_db):
    return Race(monkeypatch, make_user("alice"))


def test_two_at_once_make_one_effect_and_get_one_answer(race):
    race.run()
    first, second = race.answers["first"], race.answers["second"]
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert boards_of(race.user) == ["a board"]


def test_the_second_runs_when_the_first_failed_after_all(race):
    race.fail_first = True
    race.run()
    assert race.answers["first"].status_code == 403
    assert race.answers["second"].status_code == 201
    assert "Idempotent-Replayed" not in race.answers["second"]
    assert boards_of(race.user) == ["a board"]


def test_control_without_the_key_check_two_at_once_make_two_effects(race, monkeypatch):
    monkeypatch.setattr(idempotency, "claim_key", lambda *args: True)
    race.run()
    statuses = [answer.status_code for answer in race.answers.values()]
    assert statuses == [201, 201]
    assert len(boards_of(race.user)) == 2


def test_the_kept_answer_is_what_went_over_the_wire(client, alice):
    sent = json.loads(post(client).content)
    with acting_as(user_actor(alice.id)):
        kept = IdempotencyKey.objects.get()
    assert (kept.status, kept.body) == (201, sent)
