from __future__ import annotations

from django.urls import path

from pingvas.core.storage.views import FileView

app_name = "storage"
# The address that the version before signs links for, too.
urlpatterns = [path("images/file", FileView.as_view(), name="file")]
