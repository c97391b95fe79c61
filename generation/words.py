"""What the scripts of the Create page say, by name."""

from __future__ import annotations

from django.utils.translation import gettext as _

# Codes of jobs that failed, by what their owner can do about it.
GONE = {"model_missing"}
DAMAGED = {
    "companion_mismatch",
    "companion_missing",
    "component_missing",
    "config_missing",
    "config_unreadable",
    "damaged_file",
    "incomplete_checkpoint",
    "model_corrupt",
    "model_refused",
    "truncated_file",
    "weights_mismatch",
    "weights_missing",
}
UNFIT = {
    "model_too_large",
    "pickle_weights",
    "remote_code",
    "unsupported_architecture",
    "unsupported_component",
    "unsupported_pipeline",
    "unsupported_variant",
    "wrong_base",
}
IMPOSSIBLE = {
    "invalid_guidance",
    "invalid_seeds",
    "invalid_size",
    "invalid_steps",
    "spec_refused",
    "unknown_sampler",
}
BUSY = {"model_cache_full", "models_in_use"}
OURS = {"download_cut", "engine_error", "internal_error", "storage_unavailable"}


def create_words() -> dict[str, str]:
    """The sentences in the language of the request; `{name}` is filled in later."""
    return {**_form_words(), **_job_words(), **_failure_words(), **_file_words()}


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
        "side_own": _("This model draws best at {native}."),
        "side_far": _("This model knows pictures of {native}; others come out odd."),
        "side_limit": _("Your plan ends at {side}."),
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


def _failure_words() -> dict[str, str]:
    """By `error_code`: why a job made no picture."""
    reasons = {
        _("The model is not there any more."): GONE,
        _("The model's files are damaged. Choose another model."): DAMAGED,
        _("This model cannot be run here. Choose another one."): UNFIT,
        _("The model cannot draw these settings. Try others."): IMPOSSIBLE,
        _("Too large for this machine. Try a smaller size or fewer pictures."): {
            "out_of_memory"
        },
        _("The machines are too busy for this model. Try again later."): BUSY,
        _("The model gave no valid picture."): {"broken_picture"},
        _("The worker was lost too often."): {"worker_lost", "device_lost"},
        _("It took far longer than expected."): {"deadline_exceeded"},
        _("A picture that it needed was not made."): {"parent_failed"},
        _("Something went wrong on our side."): OURS,
        _("It could not be made."): {"unknown"},
    }
    return {
        f"error.{code}": words for words, codes in reasons.items() for code in codes
    }


def _file_words() -> dict[str, str]:
    """Why a dropped file gives no settings."""
    return {
        "picture_no_png": _("{name} is no PNG picture. Settings are read from PNG."),
        "picture_broken": _("{name} is damaged: its settings cannot be read."),
        "picture_foreign": _(
            "{name} does not say how it was made: it is not from Pingvas, or another "
            "program saved it anew."
        ),
        "picture_other_version": _(
            "{name} was made by another version of Pingvas, whose settings are not "
            "known here."
        ),
        "picture_too_large": _("{name} is larger than any picture of Pingvas."),
    }
