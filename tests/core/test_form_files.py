"""Files in forms, and the whole way of a request through the server's layers."""

from __future__ import annotations

import logging
import tempfile

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from pingvas.asgi import application
from tests.cast import make_user
from tests.generation.event_socket import in_thread, session_of

FORMS = ["/sign-in", "/sign-up", "/i18n/setlang/", "/admin/login/"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", FORMS)
def test_a_form_takes_no_file_and_writes_none(path, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    large = SimpleUploadedFile("large.bin", b"x" * 3_000_000)
    answer = Client().post(path, {"csrfmiddlewaretoken": "a", "file": large})
    assert answer.status_code == 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_a_form_in_parts_without_a_file_is_a_form():
    answer = Client().post("/sign-in", {"email": "a@example.com", "password": "wrong"})
    assert answer.status_code == 401


async def ask(path, cookie=""):
    """Status of the whole application's answer."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"prompt=secret",
        "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())],
        "client": ("192.0.2.1", 4711),
    }
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b""})
    head = await communicator.receive_output(10)
    await communicator.wait(10)
    return head["status"]


@pytest.mark.django_db(transaction=True)
async def test_the_line_about_a_request_names_its_user_by_id(caplog):
    caplog.set_level(logging.INFO)
    alice = await in_thread(make_user, "alice")
    cookie = await in_thread(session_of, alice)
    for path, whose in (("/gallery", cookie), ("/api/v1/me", cookie), ("/sign-in", "")):
        assert await ask(path, whose) == 200
    lines = [record for record in caplog.records if record.name == "pingvas.access"]
    assert [line.user for line in lines] == [str(alice.id), str(alice.id), None]
    assert "secret" not in caplog.text
    assert alice.email not in caplog.text
