"""Pictures over HTTP: each view parses, calls one service and serializes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework.generics import ListAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import UserRequest
from gallery.api.serializers import ImageSerializer
from gallery.downloads import (
    download_link,
    read_thumbnail,
    thumbnail_etag,
)
from gallery.models import Image
from gallery.selectors import access_image, gallery_of
from gallery.services import delete_image
from gallery.upload_decoding import (
    UploadAnimated,
    UploadBroken,
    UploadNotAPicture,
    UploadsBusy,
    UploadTooManyPixels,
)
from gallery.uploads import upload_picture
from gallery.usage import StorageFull
from pingvas.core.api.binary import BinaryView
from pingvas.core.api.schema import errors
from pingvas.core.db.unit_of_work import end_unit_of_work
from pingvas.core.errors import InvalidRequest
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.core.form_files import FileTooLarge, OneFileView
from pingvas.core.storage.base import ObjectMissing, StorageUnavailable

# A picture never changes, but it may be deleted: a day, and only its owner's browser.
THUMBNAIL_CACHING = "private, max-age=86400, immutable"


@extend_schema_view(
    get=extend_schema(
        operation_id="list_images",
        tags=["images"],
        description="Your pictures, newest first.",
    )
)
class ImagesView(ListAPIView[Image]):
    request: UserRequest
    serializer_class = ImageSerializer

    def get_queryset(self) -> Any:
        return gallery_of(self.request.user)


class UploadsView(OneFileView):
    largest_file = LARGEST_PICTURE

    @extend_schema(
        operation_id="upload_picture",
        tags=["images"],
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            }
        },
        responses={
            201: ImageSerializer,
            200: OpenApiResponse(ImageSerializer, "You have this picture already."),
            **errors(
                *(InvalidRequest, UploadNotAPicture, UploadTooManyPixels),
                *(UploadAnimated, UploadBroken, FileTooLarge),
                *(StorageFull, UploadsBusy, StorageUnavailable),
            ),
        },
    )
    def post(self, request: UserRequest) -> Response:
        """Bring a picture of your own: PNG, JPEG or WebP.

        At most 20 MB and 40 megapixels. What is kept is upright and in sRGB, and says
        nothing of what the file said besides: neither place nor camera nor settings.
        """
        content = self.read_file(request)
        end_unit_of_work()
        upload = upload_picture(user=request.user, content=content)
        status = 201 if upload.is_new else 200
        return Response(ImageSerializer(upload.image).data, status=status)


class ImageView(APIView):
    @extend_schema(
        operation_id="get_image", tags=["images"], responses={200: ImageSerializer}
    )
    def get(self, request: UserRequest, image_id: UUID) -> Response:
        """One picture of yours, with everything that made it."""
        image = access_image(request.user, image_id)
        return Response(ImageSerializer(image).data)

    @extend_schema(operation_id="delete_image", tags=["images"], responses={204: None})
    def delete(self, request: UserRequest, image_id: UUID) -> Response:
        """Remove a picture for good. Its job and what it cost stay on record."""
        delete_image(user_id=request.user.id, image_id=image_id)
        return Response(status=204)


class ThumbnailView(BinaryView):
    @extend_schema(
        operation_id="get_thumbnail",
        tags=["images"],
        parameters=[
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER),
        ],
        responses={
            (200, "image/webp"): OpenApiResponse(OpenApiTypes.BINARY),
            304: OpenApiResponse(description="The one that you have is right."),
            **errors(ObjectMissing, StorageUnavailable),
        },
    )
    def get(self, request: UserRequest, image_id: UUID) -> HttpResponseBase:
        """The picture within 384 x 384 pixels, as WebP."""
        image = access_image(request.user, image_id)
        etag = thumbnail_etag(image)
        response = get_conditional_response(request._request, etag=etag)
        if response is None:
            end_unit_of_work()
            response = HttpResponse(read_thumbnail(image), content_type="image/webp")
        response["ETag"] = etag
        response["Cache-Control"] = THUMBNAIL_CACHING
        patch_vary_headers(response, ["Authorization", "Cookie"])
        return response


class DownloadView(BinaryView):
    @extend_schema(
        operation_id="download_image",
        tags=["images"],
        responses={
            302: OpenApiResponse(
                description="To the file, by a signed link that is good for 5 minutes."
            ),
            **errors(StorageUnavailable),
        },
    )
    def get(self, request: UserRequest, image_id: UUID) -> HttpResponse:
        """The full picture, to be saved as a file.

        One that was made here is a PNG with its settings inside; one that was brought
        may be a JPEG, and has none.
        """
        image = access_image(request.user, image_id)
        end_unit_of_work()
        link = download_link(image)
        headers = {"Location": link, "Cache-Control": "private, no-store"}
        return HttpResponse(status=302, headers=headers)
