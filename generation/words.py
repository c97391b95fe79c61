"""What the scripts of the Create page say, by name."""

from __future__ import annotations

from django.utils.translation import gettext as _

from generation.failures import words_for_owners


def create_words() -> dict[str, str]:
    """The sentences in the language of the request; `{name}` is filled in later."""
    return {
        **_form_words(),
        **_job_words(),
        **{f"error.{code}": words for code, words in words_for_owners().items()},
    }


def _form_words() -> dict[str, str]:
    return {
        "price": _("{total} credits"),
        "price.one": _("{total} credit"),
        "price_each": _("{pictures} × {credits}, about {time} each"),
        "price_unknown": _("Price: —"),
        "price_ceiling": _("at most, for about {time}"),
        "available": _("{count} available"),
        "missing": _("{missing} credits are missing: this needs {needed}."),
        "missing.one": _("{missing} credit is missing: this needs {needed}."),
        "fit_pictures": _("{count} pictures instead"),
        "fit_pictures.one": _("{count} picture instead"),
        "fit_steps": _("{steps} steps instead"),
        "fit_steps.one": _("{steps} step instead"),
        "fit_size": _("{width} × {height} instead"),
        "nothing_fits": _("Not even the smallest settings fit. See your credits."),
        "prompt_needed": _("Write what the picture shall show."),
        "number_needed": _("Write a number."),
        "number_whole": _("Write a whole number."),
        "number_between": _("Between {low} and {high}."),
        "side_over": _("Your plan allows at most {side} pixels."),
        "settings_loaded": _("Settings taken over."),
        "settings_other_model": _(
            "Settings taken over, but {model} is not open to you: the model stays."
        ),
        "settings_taken": _("Taken over: {names}."),
        "settings_left_out": _("Left out: {names}."),
        "and_more": _("{count} more"),
        "picture_too_large": _("This picture is larger than 20 MB."),
        "side_own": _("This model draws best at {native}."),
        "side_far": _("This model knows pictures of {native}; others come out odd."),
        "side_limit": _("Your plan ends at {side}."),
        "advanced": _("Besides: {names}"),
        "seed_random": _("Random"),
        "seed_free": _("A new one for each picture"),
        "seed_locked": _("Locked; further pictures count up from it"),
        "sending": _("Sending…"),
        "generate": _("Generate"),
        "unreachable": _("No connection. Your settings are kept; try again."),
        "unknown_error": _("Something went wrong. Try again."),
        "queue_full": _("Your plan lets {limit} submissions wait. Let one start."),
        "too_fast": _("Too many in a short time. Try again in {time}."),
        "seconds": _("{count} s"),
        "minutes": _("{count} min"),
    }


def _job_words() -> dict[str, str]:
    return {
        "pending": _("Waiting"),
        "queued": _("Waiting"),
        "next": _("Next in line"),
        "ahead": _("{count} ahead of you"),
        "expected": _("about {time}"),
        "no_worker": _("No worker is there yet; it starts when one comes."),
        "loading": _("Loading the model"),
        "step": _("Step {step} of {total}"),
        "finishing": _("Finishing"),
        "completed": _("Done"),
        "failed": _("Failed"),
        "cancelled": _("Cancelled"),
        "cancel": _("Cancel"),
        "cancelling": _("Cancelling…"),
        "reuse": _("Use these settings"),
        "vary": _("Vary"),
        "download": _("Download"),
        "download_of": _("Download: {prompt}"),
        "open": _("Open the picture: {prompt}"),
        "retry": _("Try again"),
        "charged": _("{charged} credits"),
        "charged.one": _("{charged} credit"),
        "charged_released": _("{charged} credits, {released} given back"),
        "charged_released.one": _("{charged} credit, {released} given back"),
        "nothing_charged": _("Nothing charged"),
        "held": _("{count} credits held"),
        "held.one": _("{count} credit held"),
        "time": _("Running for {time}"),
        "summary": _("{width} × {height}, {steps} steps"),
        "settings": _("{model} · {sampler} · guidance {guidance}"),
        "no_guidance": _("off"),
        "preview_of": _("Preview of: {prompt}"),
        "title_running": _("{percent}% · Create"),
        "title_done": _("Done · Create"),
        "title_failed": _("Failed · Create"),
        "offline": _(
            "The live connection is away. Your pictures go on; the page catches up."
        ),
        "notify_done": _("Your picture is done."),
        "notify_failed": _("Your picture could not be made."),
    }
