from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts.services import record_sign_in, record_sign_out

        # The OpenAPI document finds the scheme once its module is read.
        import_module("accounts.api.schema")

        # Django's own receiver would write the row without an actor, and so no row.
        user_logged_in.disconnect(dispatch_uid="update_last_login")
        user_logged_in.connect(record_sign_in, dispatch_uid="record_sign_in")
        user_logged_out.connect(record_sign_out, dispatch_uid="record_sign_out")
