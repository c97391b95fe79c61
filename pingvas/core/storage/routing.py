"""Paths of the object store that the event loop serves."""

from __future__ import annotations

from django.urls import path

from pingvas.core.storage.local_links import UPLOAD_PATH
from pingvas.core.storage.put_links import take_upload

http_urlpatterns = [
    path(UPLOAD_PATH, take_upload),  # type: ignore[arg-type]  # typed for views alone
]
