"""Whatever a header claims about encodings is no error of ours."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from pingvas.asgi import wsgi_application
from pingvas.core.requests import Utf8Request

pytestmark = pytest.mark.django_db

# Python knows these; they are none of text, or nothing can be read by them.
ENCODINGS = ["hex", "zlib", "rot13", "idna", "punycode", "undefined", "utf-32"]
FORM = b'--xx\r\nContent-Disposition: form-data; name="next"\r\n\r\n/\xff\r\n--xx--\r\n'
BODIES = {
    "application/json": b'{"email": "a@example.com", "password": "\xff"}',
    "application/x-www-form-urlencoded": b"next=%ff&language=\xff",
    "multipart/form-data; boundary=xx": FORM,
}
PATHS = ["/sign-in?next=%ff", "/i18n/setlang/?next=%ff", "/api/v1/auth/token?a=%ff"]


def status(path, body, content_type):
    """What the web process answers, without the test client's own request."""
    environ = RequestFactory().generic("POST", path, b"").environ
    environ |= {
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        # Without the cookie a form is refused before it is read.
        "HTTP_COOKIE": f"csrftoken={'a' * 32}",
    }
    found = []
    answer = wsgi_application(environ, lambda line, headers: found.append(line))
    answer.close()
    return int(found[0].split()[0])


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("claim", [f"charset={name}" for name in ENCODINGS])
def test_an_encoding_that_is_none_of_text_is_not_asked_for(kind, path, claim):
    assert status(path, BODIES[kind], f"{kind}; {claim}") < 500


@pytest.mark.parametrize("claim", ["charset*=hex''%ff", "charset*=a''b", "a*=b'c'd"])
def test_a_parameter_of_an_unknown_encoding_is_no_error_of_ours(claim):
    assert status("/sign-in", b"", f"text/plain; {claim}") < 500


def test_the_web_process_reads_requests_so():
    assert isinstance(wsgi_application, WSGIHandler)
    assert wsgi_application.request_class is Utf8Request
