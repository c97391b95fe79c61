from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import pre_migrate


class CoreConfig(AppConfig):
    name = "pingvas.core"
    label = "core"

    def ready(self) -> None:
        import_module("pingvas.core.checks")
        import_module("pingvas.core.db.lookups")
        from pingvas.core.db.migrate_guard import refuse_wrong_place

        pre_migrate.connect(refuse_wrong_place, dispatch_uid="pingvas_migrate_guard")
