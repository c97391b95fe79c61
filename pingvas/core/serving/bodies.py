"""Reading a request's body before a thread is taken for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pingvas.core.errors import AmbiguousLength, RequestTooLarge, RequestTooSlow
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.core.serving.asgi_types import Message, Receive, Scope
from pingvas.core.serving.clients import address_in
from pingvas.core.serving.holds import Hold, Store
from pingvas.core.serving.pace import ClientGone, Pace

KILOBYTE = 1024
LARGEST_FORM = 64 * KILOBYTE
LARGEST_JSON = 1024 * KILOBYTE
# A picture with the form around it.
LARGEST_UPLOAD = LARGEST_PICTURE + LARGEST_FORM

# The first that begins the path counts. A route that takes more than those beside it
# has a line of its own, which comes with the route: before, strangers would use it.
LARGEST_BODIES = (
    ("/api/v1/images/settings", LARGEST_UPLOAD),
    ("/api/v1/uploads", LARGEST_UPLOAD),
    ("/api/", LARGEST_JSON),
    ("/", LARGEST_FORM),
)
LARGEST_BODY = max(most for _, most in LARGEST_BODIES)


def largest_body(path: str) -> int:
    """Bytes that a body sent to `path` may have."""
    return next(
        (most for prefix, most in LARGEST_BODIES if path.startswith(prefix)),
        LARGEST_FORM,
    )


def declared_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """What Content-Length says; None when the body comes in chunks.

    AmbiguousLength when the request says both: a proxy before us may believe the
    other one, and see two requests where we see one.
    """
    named = dict(headers)
    if b"transfer-encoding" not in named:
        return int(named.get(b"content-length", b"0"))
    if b"content-length" in named:
        raise AmbiguousLength
    return None


async def read_body(
    scope: Scope, receive: Receive, *, store: Store, grace: float
) -> Hold:
    """The whole body, to be released by the caller.

    Raises RequestTooLarge (at once where the length says so), RequestTooSlow, TooBusy,
    AmbiguousLength, and ClientGone.
    """
    most = largest_body(scope["path"])
    declared = declared_length(scope["headers"])
    if declared is not None and declared > most:
        raise RequestTooLarge
    hold = store.hold(address_in(scope))
    try:
        # Nothing is sent where nothing is announced: no time is to be measured.
        await _fill(hold, most, receive, Pace(grace) if declared != 0 else None)
    except TimeoutError:
        hold.release()
        raise RequestTooSlow from None
    except BaseException:
        hold.release()
        raise
    return hold


async def _fill(hold: Hold, most: int, receive: Receive, pace: Pace | None) -> None:
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await (pace.within(receive()) if pace else receive())
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        if hold.size + len(chunk) > most:
            raise RequestTooLarge
        if pace:
            pace.moved(len(chunk))
        await hold.add_from_loop(chunk)


def complete_environ(environ: dict[str, Any], size: int) -> None:
    """Say how long the body was found to be: chunks bring no length."""
    if environ.pop("HTTP_TRANSFER_ENCODING", None):
        environ["CONTENT_LENGTH"] = str(size)
