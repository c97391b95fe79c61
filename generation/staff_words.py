"""Why a job failed, in a few words for staff; its own message tells the rest."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

FAILURES = {
    "broken_picture": _("No valid picture"),
    "deadline_exceeded": _("Took too long"),
    "device_lost": _("Device lost"),
    "internal_error": _("Internal error"),
    "lease_lost": _("Worker lost"),
    "model_cache_full": _("Model cache full"),
    "model_corrupt": _("Model damaged"),
    "model_missing": _("Model missing"),
    "model_not_found": _("Model missing"),
    "model_refused": _("Model refused"),
    "model_too_large": _("Model too large"),
    "out_of_memory": _("Out of memory"),
    "parent_failed": _("Lost what it waited for"),
    "spec_refused": _("Settings refused"),
    "storage_unavailable": _("Storage away"),
}


def failure_words(code: str | None) -> str:
    """A code that is not known is shown as it is."""
    if not code:
        return gettext("No reason given")
    return str(FAILURES.get(code, code))
