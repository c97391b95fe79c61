from __future__ import annotations

from django.urls import path

from modelhub.api import views

app_name = "modelhub-api"
urlpatterns = [path("models", views.ModelsView.as_view(), name="models")]
