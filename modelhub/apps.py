from __future__ import annotations

from django.apps import AppConfig


class ModelHubConfig(AppConfig):
    name = "modelhub"
