"""Recipes on their way into the house: refused in words, field by field."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import InvalidRequest
from pingvas.recipe.problems import Problem
from pingvas.recipe.recipe import Recipe

_WORDS: dict[str, Promise] = {
    "not_storable": _("This text holds a character that cannot be stored."),
    "off_grid": _("Must be a multiple of %(grid)s pixels."),
    "out_of_range": _("Must be between %(low)s and %(high)s."),
    "prompt_needed": _("Write what the picture shall show."),
    "required": _("This is needed."),
    "side_over": _("Your plan allows at most %(side)s pixels."),
    "too_long": _("At most %(count)s characters."),
    "unknown_choice": _("Unknown. Known: %(names)s"),
    "unknown_sampler": _("Unknown for this model. Known: %(names)s"),
    "unknown_setting": _("There is no such setting."),
    "unreadable": _("Not of the form that this setting has."),
    "wrong_count": _("Between %(low)s and %(high)s of them."),
}


def check_recipe(recipe: Recipe, *, base_model: str, longest_side: int) -> None:
    """InvalidRequest naming every field at fault, for a model and a tier's side."""
    problems = recipe.problems(base=base_model, longest_side=longest_side)
    if problems:
        raise InvalidRequest(
            fields={name: [words_of(one)] for name, one in problems.items()}
        )


def words_of(problem: Problem) -> str:
    """The sentence in the language of the request."""
    return str(_WORDS[problem.code]) % problem.data
