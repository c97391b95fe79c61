from __future__ import annotations

from django.urls import path

from gallery.api import views

app_name = "gallery-api"
urlpatterns = [
    path("uploads", views.UploadsView.as_view(), name="uploads"),
    path("images", views.ImagesView.as_view(), name="images"),
    path("images/<uuid:image_id>", views.ImageView.as_view(), name="image"),
    path(
        "images/<uuid:image_id>/thumbnail",
        views.ThumbnailView.as_view(),
        name="thumbnail",
    ),
    path(
        "images/<uuid:image_id>/download",
        views.DownloadView.as_view(),
        name="download",
    ),
]
