"""A setting that is added to the recipe's table goes all the way, and nowhere else.

The table gets one key, as a change of `pingvas/recipe/advanced.py` would add it; the
engine learns it or refuses it by name. Everything between them knows nothing of it.
"""

from __future__ import annotations

import json

import pytest
from django.core.files.storage import default_storage
from drf_spectacular.generators import SchemaGenerator

from billing.services.grants import read_balance
from gallery.models import Image
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.recipe import advanced
from pingvas.recipe.advanced import ADVANCED, whole
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db(transaction=True)
ADVANCED_PARAMS = {"version": 1, "sparkle": 7}
WISH = {
    "model": "tiny",
    "prompt": "a star",
    "width": 64,
    "height": 64,
    "steps": 2,
    "seeds": [7],
    "advanced_params": ADVANCED_PARAMS,
}


@pytest.fixture(autouse=True)
def sparkle(monkeypatch):
    monkeypatch.setitem(ADVANCED, "sparkle", whole(0, 10))


@pytest.fixture
def alice(client):
    user = make_user("alice")
    assert client.login(username=user.email, password=PASSWORD)
    return user


def post(client, path, body=None):
    return client.post(f"/api/v1/{path}", json.dumps(body or {}), "application/json")


def test_the_document_has_it():
    schemas = SchemaGenerator().get_schema(public=True)["components"]["schemas"]
    known = schemas["RecipeRequest"]["properties"]["advanced_params"]["properties"]
    assert known["sparkle"] == {"type": "integer", "minimum": 0, "maximum": 10}


@pytest.fixture
def drawn(monkeypatch):
    """As if the engine could do it; workers register with that."""
    monkeypatch.setattr(advanced, "DRAWN", frozenset({"sparkle"}))


def test_it_goes_from_the_request_to_the_file_and_back(drawn, studio, client, alice):
    [job] = post(client, "jobs", WISH).json()["jobs"]
    assert job["advanced_params"] == ADVANCED_PARAMS
    assert studio.run_next()
    with acting_as(user_actor(alice.id)):
        image = Image.objects.get(job_id=job["id"])
    assert image.metadata["advanced_params"] == ADVANCED_PARAMS
    assert image.metadata["record"]["request"]["advanced_params"] == ADVANCED_PARAMS
    with default_storage.open(image.s3_key) as file:
        told = client.post("/api/v1/images/settings", {"file": file}).json()
    assert told["settings"]["advanced_params"] == ADVANCED_PARAMS


def test_a_worker_of_the_version_before_leaves_it_to_others(
    studio, client, alice, monkeypatch
):
    monkeypatch.setattr(advanced, "DRAWN", frozenset({"sparkle"}))
    post(client, "jobs", WISH)
    assert not studio.run_next()


def test_a_retry_keeps_it(studio, client, alice):
    [job] = post(client, "jobs", WISH).json()["jobs"]
    assert studio.run_next()
    [again] = post(client, f"jobs/{job['id']}/retry").json()["jobs"]
    assert again["advanced_params"] == ADVANCED_PARAMS


def test_an_engine_that_cannot_do_it_refuses_by_name_and_nobody_pays(
    studio, client, alice
):
    with acting_as(user_actor(alice.id)):
        before = read_balance(user_id=alice.id).available
    [job] = post(client, "jobs", WISH).json()["jobs"]
    assert studio.run_next()
    with acting_as(SERVICE):
        ended = GenerationJob.objects.get(id=job["id"])
    assert (ended.status, ended.error_code) == ("failed", "unsupported_settings")
    assert "sparkle" in ended.error_message
    with acting_as(user_actor(alice.id)):
        assert read_balance(user_id=alice.id).available == before


@pytest.mark.parametrize(
    ("advanced", "field"),
    [
        ({"version": 1, "sparkle": 11}, "advanced_params.sparkle"),
        ({"version": 1, "glitter": 1}, "advanced_params.glitter"),
        ({"sparkle": 1}, "advanced_params.version"),
    ],
)
def test_what_the_table_does_not_allow_is_refused_at_its_place(
    studio, client, alice, advanced, field
):
    answer = post(client, "jobs", WISH | {"advanced_params": advanced})
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
