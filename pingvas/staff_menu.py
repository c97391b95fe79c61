"""The staff console's menu and dashboard, as django-unfold reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _


def _style(request: HttpRequest) -> str:
    return static("staff.css")


def _colours(request: HttpRequest) -> str:
    return reverse("admin:theme")


def _mark(request: HttpRequest) -> str:
    return static("pingvas/mark.svg")


def _may_view(permission: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm(permission))

    return allowed


def _entry(title: Any, icon: str, model: str) -> dict[str, Any]:
    """`model`: app and model, `billing.credithold`."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": _may_view(f"{app}.view_{name}"),
    }


# The studio's blue. The console fills with 600 and writes on the dark with 500.
BLUES = {
    "50": "#f0f3ff",
    "100": "#e1e7ff",
    "200": "#c8d2ff",
    "300": "#b6c4ff",
    "400": "#a6b7ff",
    "500": "#93a8ff",
    "600": "#2f4bd4",
    "700": "#2440c9",
    "800": "#1a2f9c",
    "900": "#17266f",
    "950": "#0d1230",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Pingvas staff"),
    "SITE_HEADER": _("Pingvas staff"),
    "SITE_ICON": _mark,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _mark}],
    "STYLES": [_colours, _style],
    "COLORS": {
        "primary": BLUES,
        # On the grey of an open menu the package's own is too faint.
        "font": {"subtle-light": "var(--color-base-600)"},
    },
    "SHOW_LANGUAGES": True,
    "LOGIN": {"form": "accounts.admin_forms.StaffSignInForm"},
    "DASHBOARD_CALLBACK": "generation.dashboard.show_dashboard",
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": [
            {
                "items": [
                    {
                        "title": _("Dashboard"),
                        "icon": "monitoring",
                        "link": reverse_lazy("admin:index"),
                    },
                    _entry(_("Users"), "person", "accounts.user"),
                ],
            },
            {
                "title": _("Studio"),
                "separator": True,
                "items": [
                    _entry(_("Jobs"), "list_alt", "generation.generationjob"),
                    _entry(_("Images"), "image", "gallery.image"),
                    _entry(_("Models"), "model_training", "modelhub.aimodel"),
                    _entry(_("Workers"), "memory", "generation.worker"),
                ],
            },
            {
                "title": _("Credits"),
                "separator": True,
                "items": [
                    _entry(_("Ledger"), "receipt_long", "billing.credittransaction"),
                    _entry(_("Holds"), "lock_clock", "billing.credithold"),
                    _entry(
                        _("Subscriptions"), "card_membership", "billing.subscription"
                    ),
                ],
            },
            {
                "title": _("House"),
                "separator": True,
                "items": [
                    _entry(
                        _("Schedule"), "schedule", "django_celery_beat.periodictask"
                    ),
                    _entry(_("Staff groups"), "group", "auth.group"),
                ],
            },
        ],
    },
}
