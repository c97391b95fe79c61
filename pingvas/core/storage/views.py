"""Where the links to local files lead."""

from __future__ import annotations

from django.http import FileResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from pingvas.core.api.binary import BinaryView
from pingvas.core.db.unit_of_work import end_unit_of_work
from pingvas.core.storage.base import content_type_of
from pingvas.core.storage.local_links import read_download
from pingvas.core.storage.stores import local_store


class FileView(BinaryView):
    """The token is all that is asked for."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> FileResponse:
        key, name = read_download(request.query_params.get("token", ""))
        end_unit_of_work()
        response = FileResponse(
            local_store().open(key),
            as_attachment=True,
            filename=name,
            content_type=content_type_of(name),
        )
        response["Cache-Control"] = "private, no-store"
        return response
