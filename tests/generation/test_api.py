from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.db import IntegrityError

from billing.services.grants import read_balance
from generation.models import GenerationJob
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db(transaction=True)
WISH = {"model": "starter", "prompt": "a star", "width": 128, "height": 128}


@pytest.fixture(autouse=True)
def models():
    with acting_as(SERVICE):
        for name, min_tier in (("starter", None), ("large", "pro")):
            AIModel.objects.create(
                name=name,
                type="main",
                base_model="sd15",
                is_official=True,
                min_tier=min_tier,
            )


@pytest.fixture
def alice(client):
    user = make_user("alice")
    assert client.login(username=user.email, password=PASSWORD)
    return user


def post(client, path, body=None, **headers):
    return client.post(
        f"/api/v1/{path}", json.dumps(body or {}), "application/json", headers=headers
    )


def test_a_quote_changes_nothing_and_is_what_the_submission_holds(client, alice):
    quote = post(client, "jobs/quote", WISH | {"seeds": [1, 2]}).json()
    assert quote["total"] == 2 * quote["credits"]
    jobs = post(client, "jobs", WISH | {"seeds": [1, 2]}).json()["jobs"]
    assert [job["quoted_credits"] for job in jobs] == [quote["credits"]] * 2
    with acting_as(user_actor(alice.id)):
        assert read_balance(user_id=alice.id).held == quote["total"]


@pytest.mark.parametrize(
    ("native", "sides", "expected"),
    [
        (128, {}, (128, 128)),
        (None, {}, (512, 512)),
        (1024, {"height": 256}, (1024, 256)),
        # More than the plan allows is not what leaving it out means.
        (2048, {}, (1024, 1024)),
    ],
)
def test_a_size_that_is_left_out_is_the_models_own(
    client, alice, native, sides, expected
):
    with acting_as(SERVICE):
        AIModel.objects.filter(name="starter").update(native_side=native)
    rows = client.get("/api/v1/models").json()["results"]
    assert {row["name"]: row["native_side"] for row in rows}["starter"] == native
    wish = {"model": "starter", "prompt": "a star", **sides}
    quote = post(client, "jobs/quote", wish).json()
    [job] = post(client, "jobs", wish).json()["jobs"]
    assert (job["width"], job["height"]) == expected
    assert job["quoted_credits"] == quote["credits"]


@pytest.mark.parametrize("side", [0, 63, 2049])
def test_a_side_that_no_job_can_have_is_refused_by_the_database(side):
    with acting_as(SERVICE), pytest.raises(IntegrityError):
        AIModel.objects.filter(name="starter").update(native_side=side)


def test_the_same_key_is_the_same_job(client, alice):
    first = post(client, "jobs", WISH, **{"Idempotency-Key": "k"})
    again = post(client, "jobs", WISH, **{"Idempotency-Key": "k"})
    other = post(client, "jobs", WISH | {"steps": 9}, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]["code"]) == (
        409,
        "idempotency_key_reused",
    )
    with acting_as(user_actor(alice.id)):
        assert GenerationJob.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"prompt": ""}, 400, "invalid_request", "prompt"),
        ({"width": 130}, 400, "invalid_request", "width"),
        ({"width": 2048}, 400, "invalid_request", "width"),
        ({"sampler": "nope"}, 400, "invalid_request", "sampler"),
        ({"seeds": []}, 400, "invalid_request", "seeds"),
        ({"model": "nope"}, 404, "model_not_found", "model"),
        ({"model": "large"}, 403, "model_not_in_tier", None),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(
    client, alice, change, status, code, field
):
    answer = post(client, "jobs", WISH | change)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert field is None or field in error["fields"]
    with acting_as(user_actor(alice.id)):
        assert not GenerationJob.objects.exists()
        assert read_balance(user_id=alice.id).held == 0


def test_too_few_credits_says_how_many_are_missing(client, alice):
    costly = WISH | {"width": 1024, "height": 1024, "steps": 150, "seeds": [-1] * 8}
    answer = post(client, "jobs", costly)
    assert answer.status_code == 402
    error = answer.json()["error"]
    assert error["missing"] == error["needed"] - error["available"] > 0


def test_a_waiting_job_tells_its_place_and_that_nobody_can_serve_it(client, alice):
    [job] = post(client, "jobs", WISH).json()["jobs"]
    found = client.get(f"/api/v1/jobs/{job['id']}").json()
    assert found["queue"] == {"ahead": 0, "workers": 0, "expected_wait": None}
    listed = client.get("/api/v1/jobs?status=queued").json()["results"]
    assert [row["id"] for row in listed] == [job["id"]]


def refused_in(client, language, body):
    answer = client.post(
        "/api/v1/jobs/quote",
        body,
        "application/json",
        headers={"Accept-Language": language},
    )
    assert answer.status_code == 400
    return answer.json()["error"]


@pytest.mark.parametrize("field", ["prompt", "width", "sampler"])
def test_a_refusal_is_told_in_the_language_of_whoever_asks(client, alice, field):
    wrong = json.dumps(WISH | {"prompt": "", "width": 8, "sampler": None})
    words = [
        refused_in(client, each, wrong)["fields"][field] for each in ("en", "ko", "en")
    ]
    assert words[0] == words[2]
    assert words[0] != words[1]


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b"{", b"\xff", b'{"a": NaN}'])
def test_a_body_that_is_no_object_is_refused_in_both_languages(client, alice, body):
    if body == b"":
        assert set(refused_in(client, "en", body)["fields"]) == {"model", "prompt"}
        return
    english, korean = (refused_in(client, each, body) for each in ("en", "ko"))
    assert english["code"] == korean["code"] == "parse_error"
    assert english["message"] == "The body of this request is not a JSON object."
    assert korean["message"] == "요청 본문이 JSON 객체가 아닙니다."


@pytest.mark.parametrize("status", ["nonsense", "%00"])
def test_a_list_by_a_status_that_there_is_not_is_refused(client, alice, status):
    answer = client.get(f"/api/v1/jobs?status={status}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_request")
    assert list(error["fields"]) == ["status"]


def test_cancel_and_receipt_and_retry(client, alice):
    [job] = post(client, "jobs", WISH).json()["jobs"]
    path = f"jobs/{job['id']}"
    assert post(client, f"{path}/retry").status_code == 409
    assert post(client, f"{path}/cancel").json()["status"] == "cancelled"
    receipt = client.get(f"/api/v1/{path}/receipt").json()
    assert (receipt["charged"], receipt["released"]) == (0, job["quoted_credits"])
    [again] = post(client, f"{path}/retry").json()["jobs"]
    assert again["retried_from"] == job["id"]


def test_another_users_job_is_not_there(client, alice):
    [job] = post(client, "jobs", WISH).json()["jobs"]
    bob = make_user("bob")
    client.login(username=bob.email, password=PASSWORD)
    for answer in (
        client.get(f"/api/v1/jobs/{job['id']}"),
        client.get(f"/api/v1/jobs/{job['id']}/receipt"),
        client.get(f"/api/v1/jobs/{job['id']}/preview"),
        post(client, f"jobs/{job['id']}/cancel"),
        post(client, f"jobs/{job['id']}/retry"),
        client.get(f"/api/v1/jobs/{uuid4()}"),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


def test_models_above_the_plan_are_shown_as_such(client, alice):
    rows = client.get("/api/v1/models").json()["results"]
    assert {row["name"]: row["usable"] for row in rows} == {
        "starter": True,
        "large": False,
    }


def test_nobody_submits_without_signing_in(client):
    answer = post(client, "jobs", WISH)
    assert answer.json()["error"]["code"] == "not_signed_in"
