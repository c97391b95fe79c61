"""Why a job made no picture: every code that one can end with, and what is said of it.

The engine and the queue name a code, which stays as it is; its owner reads what can be
done about it, staff what it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Failure:
    """`owner` is one of the sentences below: what to do, whatever it was exactly.

    `staff` has a few words; the job's own message tells the rest.
    """

    owner: str | Promise
    staff: str | Promise


GONE = _("The model is not there any more.")
DAMAGED = _("The model's files are damaged. Choose another model.")
UNFIT = _("This model cannot be run here. Choose another one.")
IMPOSSIBLE = _("The model cannot draw these settings. Try others.")
TOO_LARGE = _("Too large for this machine. Try a smaller size or fewer pictures.")
BUSY = _("The machines are too busy for this model. Try again later.")
BROKEN = _("The model gave no valid picture.")
UNMADE = _("A picture that it needed was not made.")
TAKEN = _("A picture that it was to be made from was deleted.")
LOST = _("The worker was lost too often.")
TOO_LONG = _("It took far longer than expected.")
OURS = _("Something went wrong on our side.")
# Of a code that this version does not know.
UNKNOWN = _("It could not be made.")

FAILURES = {
    "broken_picture": Failure(BROKEN, _("No valid picture")),
    "companion_mismatch": Failure(DAMAGED, _("Companion does not fit")),
    "companion_missing": Failure(DAMAGED, _("Companion missing")),
    "component_missing": Failure(DAMAGED, _("Component missing")),
    "config_missing": Failure(DAMAGED, _("Configuration missing")),
    "config_unreadable": Failure(DAMAGED, _("Configuration unreadable")),
    "damaged_file": Failure(DAMAGED, _("File damaged")),
    "deadline_exceeded": Failure(TOO_LONG, _("Took too long")),
    "device_lost": Failure(LOST, _("Device lost")),
    "incomplete_checkpoint": Failure(DAMAGED, _("Checkpoint incomplete")),
    "input_gone": Failure(TAKEN, _("Input deleted")),
    "internal_error": Failure(OURS, _("Internal error")),
    "invalid_guidance": Failure(IMPOSSIBLE, _("Guidance refused")),
    "invalid_seeds": Failure(IMPOSSIBLE, _("Seeds refused")),
    "invalid_size": Failure(IMPOSSIBLE, _("Size refused")),
    "invalid_steps": Failure(IMPOSSIBLE, _("Steps refused")),
    "model_cache_full": Failure(BUSY, _("Model cache full")),
    "model_corrupt": Failure(DAMAGED, _("Model damaged")),
    "model_missing": Failure(GONE, _("Model missing")),
    "model_too_large": Failure(UNFIT, _("Model too large")),
    "models_in_use": Failure(BUSY, _("Memory taken by other models")),
    "out_of_memory": Failure(TOO_LARGE, _("Out of memory")),
    "parent_failed": Failure(UNMADE, _("Lost what it waited for")),
    "pickle_weights": Failure(UNFIT, _("Weights are pickled")),
    "remote_code": Failure(UNFIT, _("Model brings its own code")),
    "truncated_file": Failure(DAMAGED, _("File cut short")),
    "unknown_sampler": Failure(IMPOSSIBLE, _("Sampler unknown")),
    "unsupported_architecture": Failure(UNFIT, _("Architecture not supported")),
    "unsupported_component": Failure(UNFIT, _("Component not supported")),
    "unsupported_pipeline": Failure(UNFIT, _("Pipeline not supported")),
    "unsupported_variant": Failure(UNFIT, _("Variant not supported")),
    "unsupported_settings": Failure(IMPOSSIBLE, _("Settings not supported")),
    "weights_mismatch": Failure(DAMAGED, _("Weights do not fit")),
    "weights_missing": Failure(DAMAGED, _("Weights missing")),
    "worker_lost": Failure(LOST, _("Worker lost")),
    "wrong_base": Failure(UNFIT, _("Model of another base")),
}


def words_for_owners() -> dict[str, str]:
    """By code, and for `unknown`, in the language of the request."""
    known = {code: str(failure.owner) for code, failure in FAILURES.items()}
    return known | {"unknown": str(UNKNOWN)}


def words_for_staff(code: str | None) -> str:
    """A code that is not known, of another version say, is shown as it is."""
    if not code:
        return gettext("No reason given")
    failure = FAILURES.get(code)
    return str(failure.staff) if failure else code
