"""Links to local files, as an object store signs its own: they expire and name one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import NotAllowed

# Links of the version before are read too: what they are signed with stays.
SALT = "gallery.download"
UPLOAD_SALT = "storage.upload"
# Of a handler on the event loop, which Django's own names do not reach.
UPLOAD_PATH = "api/v1/files/upload"


class LinkExpired(NotAllowed):
    """The token is too old, or nobody here signed it."""

    code = "link_expired"
    message = _("This link has expired. Ask for a new one.")


@dataclass(frozen=True)
class AllowedUpload:
    """What the bearer of a link may put."""

    key: str
    content_type: str
    size: int


def sign_download(key: str, file_name: str, *, seconds: int) -> str:
    """A token that stands for reading one object until it expires."""
    return _sign([key, file_name], SALT, seconds)


def read_download(token: str) -> tuple[str, str]:
    """The key and the file name of a token; LinkExpired."""
    match _read(token, SALT):
        case [str(key), str(file_name)] if _is_printable(file_name):
            return key, file_name
    raise LinkExpired


def sign_upload(key: str, content_type: str, size: int, *, seconds: int) -> str:
    """A token that stands for writing one object until it expires."""
    return _sign([key, content_type, size], UPLOAD_SALT, seconds)


def read_upload(token: str) -> AllowedUpload:
    """What a token allows; LinkExpired."""
    match _read(token, UPLOAD_SALT):
        case [str(key), str(content_type), int(size)]:
            return AllowedUpload(key, content_type, size)
    raise LinkExpired


def _is_printable(name: str) -> bool:
    """Whether a header can carry the name: a line's end in one would be an error."""
    return name.isprintable()


def _sign(content: list[Any], salt: str, seconds: int) -> str:
    return signing.dumps([*content, int(time.time()) + seconds], salt=salt)


def _read(token: str, salt: str) -> list[Any]:
    """What was signed, without the end of its time; LinkExpired when that is over."""
    content: list[Any]
    try:
        *content, until = signing.loads(token, salt=salt)
        is_over = time.time() >= until
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise LinkExpired from error
    if is_over:
        raise LinkExpired
    return content
