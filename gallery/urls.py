from __future__ import annotations

from django.urls import path

from gallery import views

app_name = "gallery"
urlpatterns = [
    path("gallery", views.GalleryPage.as_view(), name="gallery"),
    path("gallery/<uuid:image_id>", views.ImagePage.as_view(), name="image"),
]
