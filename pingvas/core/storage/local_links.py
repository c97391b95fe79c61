"""Links to local files, as an object store signs its own: they expire and name one."""

from __future__ import annotations

import time

from django.core import signing
from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import NotAllowed

SALT = "gallery.download"


class LinkExpired(NotAllowed):
    """The token is too old, or nobody here signed it."""

    code = "link_expired"
    message = _("This link has expired. Ask for a new one.")


def sign_download(key: str, file_name: str, *, seconds: int) -> str:
    """A token that stands for reading one object until it expires."""
    until = int(time.time()) + seconds
    return signing.dumps([key, file_name, until], salt=SALT)


def read_download(token: str) -> tuple[str, str]:
    """The key and the file name of a token; LinkExpired."""
    try:
        key, file_name, until = signing.loads(token, salt=SALT)
        is_over = time.time() >= until
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise LinkExpired from error
    if is_over or not (isinstance(key, str) and is_printable(file_name)):
        raise LinkExpired
    return key, file_name


def is_printable(name: object) -> bool:
    """Whether a header can carry the name: a line's end in one would be an error."""
    return isinstance(name, str) and name.isprintable()
