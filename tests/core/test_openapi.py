"""The OpenAPI document: complete, valid, and served to anybody."""

from __future__ import annotations

import pytest
import yaml
from django.core.management import call_command

ERROR = {"$ref": "#/components/schemas/Error"}


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    file = tmp_path_factory.mktemp("openapi") / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(file))
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


@pytest.mark.django_db
def test_it_is_served_to_anybody(client, document):
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["paths"].keys() == document["paths"].keys()
    assert client.get("/api/schema/", {"format": "json"}).json()["openapi"] >= "3.0.3"


def test_every_refusal_has_the_one_shape(document):
    seen = 0
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                shapes = response["content"].values()
                assert [s["schema"] for s in shapes] == [ERROR], (path, method)
                seen += 1
    assert seen


def test_every_operation_says_how_it_may_be_refused(document):
    for path, method, operation in operations(document):
        missing = {"406", "429", "503"} - operation["responses"].keys()
        assert not missing, (path, method)
        assert ("404" in operation["responses"]) >= ("{" in path), (path, method)


def test_only_these_operations_are_open(document):
    open_ones = {
        path
        for path, _, operation in operations(document)
        if {} in operation.get("security", [{}])
    }
    assert open_ones == {
        "/api/v1/auth/signup",
        "/api/v1/auth/token",
        "/api/v1/auth/token/refresh",
        "/api/v1/plans",
    }


def test_signing_in_is_by_token_or_session(document):
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }
    assert schemes["cookieAuth"]["in"] == "cookie"
