"""Answers of the event loop itself to requests that no thread is taken for."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from functools import lru_cache
from html import escape
from typing import Any

from django.http import HttpRequest, parse_cookie
from django.utils import translation

from pingvas.core.api.errors import API_PATHS
from pingvas.core.errors import PingvasError
from pingvas.core.serving.asgi_types import Receive, Scope, Send

# A connection that is closed on unread bytes is reset, and its answer often lost.
LINGER_SECONDS = 2.0
PAGE = (
    '<!doctype html><html lang="{language}"><meta charset="utf-8">'
    "<title>{status}</title><p>{words}</p></html>"
)


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    error: PingvasError,
    *,
    unread: bool = True,
) -> None:
    """Answer `error`, in the house's shape, and end the connection.

    unread: whether a body is on its way; of it a little more is read and thrown away.
    """
    content, headers = _answer(scope, error)
    start = {"type": "http.response.start", "status": error.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": content, "more_body": True})
    if unread and not _waits_for_leave(scope):
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await _throw_away(receive)
    await send({"type": "http.response.body", "body": b""})


async def answer_json(send: Send, status: int, content: dict[str, Any]) -> None:
    """A short answer of a handler on the loop."""
    body = json.dumps(content, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _answer(
    scope: Scope, error: PingvasError
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    is_api = scope["path"].startswith(API_PATHS)
    named = dict(scope["headers"])
    language = _language(named.get(b"cookie", b""), named.get(b"accept-language", b""))
    kind: Any = type(error)
    body = _content(kind, tuple(error.data.items()), is_api, language)
    headers = [
        (
            b"content-type",
            b"application/json" if is_api else b"text/html; charset=utf-8",
        ),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", b"default-src 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    if "retry_after" in error.data:
        headers.append((b"retry-after", str(error.data["retry_after"]).encode()))
    return body, headers


# Attackers are refused by the hundred, and the loop has others to serve.
@lru_cache(maxsize=256)
def _content(
    kind: type[PingvasError],
    data: tuple[tuple[str, Any], ...],
    is_api: bool,
    language: str,
) -> bytes:
    error = kind(**dict(data))
    with translation.override(language):
        if is_api:
            return json.dumps(error.as_dict(), ensure_ascii=False).encode()
        words = escape(str(error.words))
        page = PAGE.format(language=language, status=error.status, words=words)
        return page.encode()


@lru_cache(maxsize=256)
def _language(cookies: bytes, accepted: bytes) -> str:
    """What Django's own middleware would choose."""
    request = HttpRequest()
    request.COOKIES = parse_cookie(cookies.decode("latin-1"))
    request.META["HTTP_ACCEPT_LANGUAGE"] = accepted.decode("latin-1")
    return translation.get_language_from_request(request)


def _waits_for_leave(scope: Scope) -> bool:
    """`Expect: 100-continue`: nothing is on its way before we ask for it."""
    return any(name == b"expect" for name, _ in scope["headers"])


async def _throw_away(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass
