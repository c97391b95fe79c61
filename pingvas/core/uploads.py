"""Files in forms, which no form of ours asks for."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler


class FileNotExpected(SuspiciousOperation):
    """Answered as a bad request."""


class RefuseFiles(FileUploadHandler):
    """Ends the reading of a form at its first file: nothing of it touches the disk."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise FileNotExpected("a form with a file")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise FileNotExpected

    def file_complete(self, file_size: int) -> None:
        return None
