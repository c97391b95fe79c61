"""The console's words: names of models and columns in the reader's language.

They are given when the console starts and not in the models: a name there belongs to
the schema's state, and every change of a word would be a migration. In English a column
keeps the name that Django makes of it, so nothing else of the product changes.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.db.models import Field, Model
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

# One and many of each.
MODELS: dict[str, tuple[Promise, Promise]] = {
    "accounts.user": (_("user"), _("users")),
    "auth.group": (_("staff group"), _("staff groups")),
    "billing.credithold": (_("hold"), _("holds")),
    "billing.credittransaction": (_("posting"), _("postings")),
    "billing.subscription": (_("subscription"), _("subscriptions")),
    "django_celery_beat.crontabschedule": (_("time of day"), _("times of day")),
    "django_celery_beat.intervalschedule": (_("interval"), _("intervals")),
    "django_celery_beat.periodictask": (_("entry"), _("entries")),
    "gallery.image": (_("picture"), _("pictures")),
    "generation.generationjob": (_("job"), _("jobs")),
    "generation.worker": (_("worker"), _("workers")),
    "modelhub.aimodel": (_("model"), _("models")),
}
APPS: dict[str, Promise] = {
    "accounts": _("Accounts"),
    "auth": _("Staff"),
    "billing": _("Credits"),
    "django_celery_beat": _("Schedule"),
    "gallery": _("Gallery"),
    "generation": _("Generation"),
    "modelhub": _("Models"),
}
# Names that Django makes of columns and choices, the package's own sentences, and what
# the ledger says of itself: written out, so that they are seen to have Korean words.
MADE = (
    # Columns.
    *(_("advanced params"), _("amount"), _("attempt"), _("avatar url")),
    *(_("balance after"), _("base model"), _("batch id"), _("batch index")),
    *(_("batch size"), _("billing cycle"), _("cancel requested at")),
    *(
        _("cancelled at"),
        _("capabilities"),
        _("cfg scale"),
        _("completed at"),
        _("created at"),
    ),
    *(_("credits consumed"), _("current period end"), _("current period start")),
    *(_("deadline at"), _("description"), _("device memory"), _("display name")),
    *(_("download count"), _("duration seconds"), _("email"), _("error code")),
    *(_("error message"), _("file size"), _("format"), _("grace period end")),
    *(_("hardware class"), _("heartbeat at"), _("height"), _("id")),
    *(_("idempotency key"), _("is active"), _("is official"), _("is public")),
    *(
        _("is staff"),
        _("job"),
        _("kind"),
        _("lane"),
        _("largest bytes"),
        _("last login"),
    ),
    *(
        _("lease expires at"),
        _("left alone"),
        _("lemon squeezy id"),
        _("metadata"),
        _("min tier"),
    ),
    *(
        _("model"),
        _("name"),
        _("native side"),
        _("needs"),
        _("needs bytes"),
        _("negative prompt"),
        _("oauth id"),
    ),
    *(_("oauth provider"), _("origin"), _("pass size"), _("password"), _("priority")),
    *(_("prompt"), _("queued at"), _("quoted credits"), _("request id")),
    *(_("resolved at"), _("resolved seed"), _("retried from"), _("s3 bucket")),
    *(_("s3 key"), _("sampler"), _("seed"), _("sequence"), _("served models")),
    *(_("settled amount"), _("sha256"), _("sha256 hash"), _("share token")),
    *(_("started at"), _("status"), _("steps"), _("submission")),
    *(_("subscription"), _("tags")),
    *(_("thumbnail url"), _("tier"), _("tiers"), _("timings"), _("token version")),
    *(_("type"), _("updated at"), _("uploaded by user"), _("user")),
    *(
        _("view count"),
        _("waits for"),
        _("waits on"),
        _("warm models"),
        _("width"),
        _("worker id"),
    ),
    # The timetable's.
    *(_("Task Name"), _("Interval Schedule"), _("Crontab Schedule")),
    *(_("Solar Schedule"), _("Clocked Schedule"), _("Positional Arguments")),
    *(_("Keyword Arguments"), _("Queue Override"), _("Exchange")),
    *(_("Routing Key"), _("Priority")),
    # Choices.
    *(_("Pending"), _("Queued"), _("In Progress"), _("Completed"), _("Failed")),
    *(_("Cancelled"), _("Held"), _("Settled"), _("Released"), _("Active")),
    *(_("Past Due"), _("Expired"), _("Monthly"), _("Yearly")),
    *(_("Subscription Grant"), _("Subscription Upgrade"), _("Admin Adjustment")),
    *(_("Generation Usage"), _("Api Usage"), _("free month")),
    *(_("Generated"), _("Uploaded"), _("Mask"), _("Control")),
    # The package's sentences on pages that staff see.
    *(_("Type to search"), _("Search apps and models..."), _("No results found")),
    _("This page yielded into no results. Create a new item or reset your filters."),
    *(_("Reset filters"), _("Apply Filters"), _("Expand row"), _("General")),
    *(_("Go back"), _("Light"), _("Dark"), _("System"), _("True"), _("False")),
    *(_("Welcome back to"), _("Return to site"), _("Toggle password visibility")),
    *(_("Submit"), _("Select value"), _("Select record"), _("Select all rows")),
    _("You have been successfully logged out from the administration"),
    *(_("No recent searches"), _("Recent searches"), _("Loading more results...")),
    *(_("No results matching your query"), _("More actions"), _("All applications")),
    _("After you've created a user, you’ll be able to edit more user options."),
    _(
        "Raw passwords are not stored, so there is no way to see this user’s password, "
        'but you can change the password using <a href="{}" class="text-primary-600 '
        'dark:text-primary-500">this form</a>.'
    ),
)


def name_for_staff(site: AdminSite) -> None:
    """Give every model of the console its names, and its columns theirs."""
    for label, words in APPS.items():
        apps.get_app_config(label).verbose_name = words  # type: ignore[assignment]
    for model in site._registry:
        _name_model(model)


# Abbreviations and names, of which Django makes words: "Sd15".
PROPER = {
    "Api Usage": "API usage",
    "Controlnet": "ControlNet",
    "Jpg": "JPG",
    "Lora": "LoRA",
    "Png": "PNG",
    "Sd15": "SD 1.5",
    "Sd21": "SD 2.1",
    "Sdxl": "SDXL",
    "Vae": "VAE",
    "Webp": "WebP",
}


def in_words(row: Model, column: str) -> str:
    """A choice of `row` in the reader's language; "" for none."""
    words = getattr(row, f"get_{column}_display")()
    return choice_words(words) if words else ""


def choice_words(words: str) -> str:
    """Of a choice's name as Django made it; a translation of that name wins."""
    said = gettext(words)
    return PROPER.get(words, words) if said == words else said


# What the console notes of a deed, in English for good, and how staff read it.
_DEEDS = {
    "cancel": _("Cancelled the job."),
    "retry": _("Submitted the job again: %(rest)s"),
    "credits": _("Adjusted the credits: %(rest)s"),
}


def deed_words(note: str) -> str:
    """An entry of a row's history; Django's own entries say themselves."""
    deed, _gap, rest = note.replace(":", " ", 1).partition(" ")
    words = _DEEDS.get(deed)
    return gettext(str(words)) % {"rest": rest.strip()} if words else note


def _name_model(model: type[Model]) -> None:
    options: Any = model._meta
    if options.label_lower in MODELS:
        options.verbose_name, options.verbose_name_plural = MODELS[options.label_lower]
    for field in options.get_fields():
        if isinstance(field, Field) and isinstance(field.verbose_name, str):
            # What is written there is the English, as Django or the package made it.
            field.verbose_name = gettext_lazy(field.verbose_name)
