"""Files in forms: refused wherever a view does not ask for one."""

from __future__ import annotations

from io import BytesIO
from typing import Any, ClassVar

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.views import APIView

from pingvas.core.errors import InvalidRequest, RequestTooLarge


class FileNotExpected(SuspiciousOperation):
    """Answered as a bad request."""


class FileTooLarge(RequestTooLarge):
    code = "file_too_large"
    message = _("This file is too large.")


class RefuseFiles(FileUploadHandler):
    """Ends the reading of a form at its first file: nothing of it touches the disk."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise FileNotExpected("a form with a file")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise FileNotExpected

    def file_complete(self, file_size: int) -> None:
        return None


class TakeOneFile(FileUploadHandler):
    """Keeps one file of at most `most` bytes in memory; FileTooLarge, FileNotExpected.

    The body lies whole in a bounded place of the server's already.
    """

    def __init__(self, request: HttpRequest, *, most: int) -> None:
        super().__init__(request)
        self._most = most
        self._content = BytesIO()
        self._has_begun = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._has_begun:
            raise FileNotExpected("a form with two files")
        self._has_begun = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > self._most:
            raise FileTooLarge(most_bytes=self._most)
        self._content.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any]:
        self._content.seek(0)
        # Its name and type are what the sender says: nobody is to believe them.
        return InMemoryUploadedFile(
            file=self._content,
            field_name=self.field_name,
            name="file",
            content_type=None,
            size=file_size,
            charset=None,
        )


class OneFileView(APIView):
    """A view that takes one file, as the part `file` of a form."""

    parser_classes = (MultiPartParser,)
    largest_file: ClassVar[int]

    def initialize_request(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> Request:
        # Before the sign-in is looked at: that reads the form, for the token in it.
        handler: Any = TakeOneFile(request, most=self.largest_file)
        request.upload_handlers = [handler]
        return super().initialize_request(request, *args, **kwargs)

    def read_file(self, request: Request) -> bytes:
        """What was sent; InvalidRequest where there is none."""
        file = request.FILES.get("file")
        if file is None:
            raise InvalidRequest(fields={"file": [str(_("Choose a file."))]})
        content: bytes = file.read()
        return content
