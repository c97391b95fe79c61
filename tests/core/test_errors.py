"""Every error that a program gets has the one shape, whoever raised it."""

from __future__ import annotations

import logging

import pytest
from django.db import OperationalError
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from pingvas.core.errors import PingvasError
from pingvas.urls import urlpatterns as product_urls

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

handler500 = "pingvas.core.error_pages.server_error"


class TooFewCredits(PingvasError):
    code = "insufficient_credits"
    status = 402
    message = "Not enough credits."


class Line(serializers.Serializer):
    prompt = serializers.CharField(max_length=5)
    steps = serializers.IntegerField(min_value=1)


class Order(serializers.Serializer):
    lines = Line(many=True)
    size = Line()


class Slow(BaseThrottle):
    def allow_request(self, request, view):
        return False

    def wait(self):
        return 2.2


class Token(BaseAuthentication):
    def authenticate(self, request):
        raise exceptions.AuthenticationFailed("The signature is wrong.")

    def authenticate_header(self, request):
        return "Bearer"


def raising(error):
    class View(APIView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request):
            raise error

    return View.as_view()


class Echo(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request):
        order = Order(data=request.data)
        order.is_valid(raise_exception=True)
        return Response({})


class Throttled(Echo):
    throttle_classes = (Slow,)


class Closed(Echo):
    authentication_classes = (Token,)


def broken_page(request):
    raise OperationalError("the connection is lost")


urlpatterns = [
    path("api/v1/refused", raising(TooFewCredits(missing=12, available=3))),
    path("api/v1/broken", raising(ZeroDivisionError("secret detail"))),
    path("api/v1/away", raising(OperationalError("the connection is lost"))),
    path("api/v1/denied", raising(exceptions.PermissionDenied())),
    path("api/v1/echo", Echo.as_view()),
    path("api/v1/throttled", Throttled.as_view()),
    path("api/v1/closed", Closed.as_view()),
    path("broken-page", broken_page),
    *product_urls,
]


def error(response, status):
    """The error of an answer that has this status, and nothing else in its body."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    assert list(response.json()) == ["error"]
    return response.json()["error"]


@pytest.fixture
def client(client):
    client.raise_request_exception = False
    return client


def test_a_refusal_carries_its_figures(client):
    assert error(client.get("/api/v1/refused"), 402) == {
        "code": "insufficient_credits",
        "message": "Not enough credits.",
        "missing": 12,
        "available": 3,
    }


def test_wrong_values_are_named_by_their_place(client):
    order = {"lines": [{"prompt": "cat", "steps": 1}, {"prompt": "too long"}]}
    answer = client.post("/api/v1/echo", order, content_type="application/json")
    found = error(answer, 400)
    assert found["code"] == "invalid_request"
    assert found["fields"] == {
        "lines.1.prompt": ["Ensure this field has no more than 5 characters."],
        "lines.1.steps": ["This field is required."],
        "size": ["This field is required."],
    }


@pytest.mark.parametrize("body", ["{", "[]", "null", '"x"', "[" * 5000])
def test_a_body_that_is_no_json_object_is_refused(client, body):
    answer = client.post("/api/v1/echo", body, content_type="application/json")
    assert error(answer, 400)["code"] == "parse_error"


def test_a_wrong_method_names_the_right_ones(client):
    answer = client.get("/api/v1/echo")
    assert error(answer, 405)["code"] == "method_not_allowed"
    assert "POST" in answer["Allow"]


def test_an_unknown_media_type_is_refused(client):
    answer = client.post("/api/v1/echo", "x", content_type="text/csv")
    assert error(answer, 415)["code"] == "unsupported_media_type"


def test_throttling_says_when_to_come_back(client):
    answer = client.post("/api/v1/throttled")
    found = error(answer, 429)
    assert (found["code"], found["retry_after"]) == ("too_many_requests", 3)
    assert answer["Retry-After"] == "3"


def test_a_bad_token_is_challenged(client):
    answer = client.post("/api/v1/closed")
    assert error(answer, 401)["code"] == "not_signed_in"
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_forbidden_thing_is_403(client):
    assert error(client.get("/api/v1/denied"), 403)["code"] == "not_allowed"


@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_path_is_json_for_programs_alone(client, settings, debug):
    settings.DEBUG = debug
    assert error(client.get("/api/v1/nowhere"), 404)["code"] == "not_found"
    assert error(client.post("/webhooks/nowhere"), 404)["code"] == "not_found"
    answer = client.get("/api/v1/nowhere")
    assert answer["Content-Length"] == str(len(answer.content))
    assert answer["X-Content-Type-Options"] == "nosniff"
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")


def test_a_foreign_host_is_refused_in_shape(client):
    answer = client.get("/api/v1/echo", headers={"host": "evil.example"})
    assert error(answer, 400)["code"] == "invalid_request"


@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_error_is_logged_and_says_nothing(client, settings, debug, caplog):
    settings.DEBUG = debug
    answer = client.get("/api/v1/broken")
    assert error(answer, 500)["code"] == "server_error"
    assert b"secret detail" not in answer.content
    records = [r for r in caplog.records if r.name == "pingvas.core.api.errors"]
    assert [(r.levelno, r.exc_info[0]) for r in records] == [
        (logging.ERROR, ZeroDivisionError)
    ]


def test_an_unknown_error_reaches_a_test_that_did_not_expect_it(client):
    client.raise_request_exception = True
    with pytest.raises(ZeroDivisionError):
        client.get("/api/v1/broken")


def test_a_lost_database_is_503_for_programs_and_people(client):
    assert error(client.get("/api/v1/away"), 503)["code"] == "service_unavailable"
    page = client.get("/broken-page")
    assert page.status_code == 503
    assert page["Content-Type"].startswith("text/html")
