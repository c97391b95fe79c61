"""What a submission costs in round trips to PostgreSQL, by libpq's own trace."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

from accounts.tokens import issue_tokens
from tests.concurrency.queue_world import make_model, make_rich
from tests.core.flights import traced_pool

pytestmark = pytest.mark.django_db(transaction=True)

BODY = json.dumps(
    {"model": "starter", "prompt": "a star", "width": 64, "height": 64, "steps": 1}
).encode()


def submit(access: str) -> str:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/jobs",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(BODY)),
        "HTTP_HOST": "testserver",
        "HTTP_AUTHORIZATION": f"Bearer {access}",
        "wsgi.input": BytesIO(BODY),
    }
    status: list[str] = []
    response = WSGIHandler()(environ, lambda line, headers: status.append(line))
    try:
        b"".join(response)
    finally:
        response.close()
    return status[0]


def test_writing_as_the_house_costs_a_submission_no_flight(tmp_path):
    make_model()
    access = issue_tokens(user=make_rich("alice")).access
    # The first one makes the user's balance and place in the queue.
    submit(access)
    connection.close()
    with traced_pool(tmp_path) as flights:
        assert submit(access) == "201 Created"
        found = flights()
    # The pool's look, ten questions as before the house wrote, and no flight of its own
    # for who acts: that travels with the lock of the user's queue.
    assert len(found) == 11
    [told] = [number for number, text in enumerate(found) if "service_user" in text]
    assert found[told].startswith('"SET LOCAL ROLE service_user;')
    assert "INSERT INTO generation_jobs" in found[told + 1]
    assert found[-1] == '"COMMIT"'
