"""Files in forms: none, unless a view asks for one."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from pingvas.core.errors import InvalidForm


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


class KeepOneFile(FileUploadHandler):
    """Keeps a form's only file in memory; InvalidForm at a second one."""

    def __init__(self) -> None:
        super().__init__()
        self._content: BytesIO | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self._content is not None:
            raise InvalidForm
        super().new_file(*args, **kwargs)
        self._content = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._content is not None:
            self._content.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile | None:
        if self._content is None:
            return None
        self._content.seek(0)
        return InMemoryUploadedFile(
            file=self._content,
            field_name=self.field_name,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
        )
