"""The API as a program calls it."""

from __future__ import annotations

from django.test import Client

from tests.cast import PASSWORD


class Program:
    """A client that sends JSON and, once signed in, its access token."""

    def __init__(self, access=None):
        self.client = Client(raise_request_exception=False)
        self.access = access

    def __call__(self, method, path, body=None, **headers):
        if self.access and "authorization" not in headers:
            headers["authorization"] = f"Bearer {self.access}"
        return self.client.generic(
            method.upper(),
            f"/api/v1/{path}",
            b"" if body is None else Client()._encode_json(body, "application/json"),
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    def get(self, path, **headers):
        return self("get", path, **headers)

    def post(self, path, body=None, **headers):
        return self("post", path, body, **headers)

    def sign_in(self, user, password=PASSWORD):
        """Tokens for `user`, the access token kept for later calls."""
        answer = self.post("auth/token", {"email": user.email, "password": password})
        assert answer.status_code == 200, answer.content
        self.access = answer.json()["access"]
        return answer.json()


def signed_in(user):
    program = Program()
    program.tokens = program.sign_in(user)
    return program


def error(answer, status, code):
    """The error of an answer that has this status and code."""
    assert answer.status_code == status, answer.content
    found = answer.json()["error"]
    assert found["code"] == code
    return found
