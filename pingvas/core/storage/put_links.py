"""Where the links to put a local file lead: as an S3-compatible store takes one.

On the event loop, without a thread or a transaction: gigabytes may come slowly. A file
is written aside as it comes, and is the object once it is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar
from urllib.parse import parse_qs

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import NotAllowed, PingvasError, RequestTooSlow
from pingvas.core.serving.asgi_types import Receive, Scope, Send
from pingvas.core.serving.bodies import declared_length
from pingvas.core.serving.pace import Pace
from pingvas.core.serving.refusals import answer_json, refuse
from pingvas.core.storage.local import LocalStore
from pingvas.core.storage.local_links import AllowedUpload, read_upload
from pingvas.core.storage.stores import local_store

T = TypeVar("T")


class _ClientLeft(Exception):
    """As ClientGone, which is an OSError: the store would take it for its own."""


class OtherUpload(NotAllowed):
    """Not a PUT, or of another length or type than was signed."""

    code = "other_upload"
    message = _("This file is not the one that the link was made for.")


async def take_upload(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a PUT to a link that `LocalStore.presign_upload` made."""
    try:
        store, allowed = local_store(), _allowed(scope)
        await _store_body(store, allowed, receive)
    except _ClientLeft:
        return
    except PingvasError as error:
        unread = not isinstance(error, RequestTooSlow)
        await refuse(scope, receive, send, error, unread=unread)
        return
    await answer_json(send, 200, {})


def _allowed(scope: Scope) -> AllowedUpload:
    """What the link allows; OtherUpload where the request's head says otherwise."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    allowed = read_upload(query.get("token", [""])[0])
    content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    declared = declared_length(scope["headers"])
    if scope["method"] != "PUT" or content_type != allowed.content_type:
        raise OtherUpload
    if declared is not None and declared != allowed.size:
        raise OtherUpload
    return allowed


async def _store_body(
    store: LocalStore, allowed: AllowedUpload, receive: Receive
) -> None:
    pace, left = Pace(settings.CLIENT_GRACE_SECONDS), allowed.size
    async with _in_threads(store.writing(allowed.key)) as file:
        more = True
        while more:
            chunk, more = await _next_chunk(receive, pace)
            left -= len(chunk)
            if left < 0:
                raise OtherUpload
            await asyncio.to_thread(file.write, chunk)
        if left:
            raise OtherUpload


async def _next_chunk(receive: Receive, pace: Pace) -> tuple[bytes, bool]:
    try:
        message = await pace.within(receive())
    except TimeoutError:
        raise RequestTooSlow from None
    if message["type"] == "http.disconnect":
        raise _ClientLeft
    chunk = message.get("body", b"")
    pace.moved(len(chunk))
    return chunk, message.get("more_body", False)


@asynccontextmanager
async def _in_threads(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context manager that blocks, entered and left beside the event loop."""
    found = await asyncio.to_thread(manager.__enter__)
    try:
        yield found
    except BaseException as error:
        await asyncio.to_thread(manager.__exit__, type(error), error, None)
        raise
    await asyncio.to_thread(manager.__exit__, None, None, None)
