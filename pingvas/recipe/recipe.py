"""One submission's recipe: the settings, the model, and a seed for each picture."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

from pingvas.recipe import advanced
from pingvas.recipe.problems import Problem, out_of_range
from pingvas.recipe.samplers import SAMPLER_LABELS, SAMPLERS, usual_sampler
from pingvas.recipe.settings import (
    ADVANCED_PARAMS,
    LARGEST_SEED,
    MODEL,
    MOST_SEEDS,
    RANDOM_SEED,
    SEED,
    SETTINGS,
    SIDES,
    USUAL_SIDE,
    Setting,
    Settings,
    plain_value,
)

# Columns of a job, keys of a picture's metadata, fields of the API: one name for each.
NAMES = (MODEL.name, *SETTINGS, ADVANCED_PARAMS)


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """Settings for a model. seeds: 1 to 8 of -1 (random) or 0 to 2**32 - 1."""

    model: str
    seeds: tuple[int, ...] = (RANDOM_SEED,)

    @classmethod
    def of_row(cls, row: Any, *, seeds: tuple[int, ...]) -> Self:
        """Out of a job's columns, or of anything that calls the settings so."""
        return cls(seeds=seeds, **settings_of(row), model=row.model)

    def metadata(self, *, seed: int) -> dict[str, Any]:
        """What a picture says of how it was made, ready for JSON."""
        return {**self.facts(), MODEL.name: self.model, SEED.name: seed}

    @property
    def columns(self) -> dict[str, Any]:
        """What a row holds of it; an empty text that may be left out is NULL."""
        return {
            name: getattr(self, name) or None
            if name in ("negative_prompt", ADVANCED_PARAMS)
            else getattr(self, name)
            for name in NAMES
        }

    @property
    def modules(self) -> tuple[str, ...]:
        """What an engine must be able to do beside the plain settings."""
        return advanced.modules_of(self.advanced_params)

    @property
    def pictures(self) -> list[tuple[str, int, UUID]]:
        """The pictures that it reads: role, place among those of the role, id."""
        return advanced.pictures_of(self.advanced_params)

    def sized_for(self, *, native_side: int | None, longest_side: int) -> Self:
        """With sides that were left out: the model's own, as far as a tier allows."""
        side = min(native_side or USUAL_SIDE, longest_side)
        return replace(self, width=self.width or side, height=self.height or side)

    def resolved_seeds(self) -> list[int]:
        """The seeds with every -1 drawn."""
        return [
            secrets.randbelow(LARGEST_SEED + 1) if seed == RANDOM_SEED else seed
            for seed in self.seeds
        ]

    def resolved_sampler(self, base: str) -> str:
        """The sampler asked for, or the usual one of the base."""
        return self.sampler or usual_sampler(base)

    def problems(self, *, base: str, longest_side: int) -> dict[str, Problem]:
        """What is wrong, by field, for a model's base and a tier's longest side."""
        found = {name: self._problem(SETTINGS[name]) for name in SETTINGS}
        found |= {
            "sampler": self._sampler_problem(base),
            "seeds": self._seeds_problem(),
        }
        for name in SIDES:
            if found[name] is None and getattr(self, name) > longest_side:
                found[name] = Problem("side_over", {"side": longest_side})
        deep = advanced.problems_of(self.advanced_params)
        found |= {_within(ADVANCED_PARAMS, path): one for path, one in deep.items()}
        return {name: problem for name, problem in found.items() if problem}

    def _problem(self, setting: Setting) -> Problem | None:
        value = getattr(self, setting.name)
        if setting.kind == "string":
            return _text_problem(setting, value)
        if setting.allows(value):
            return None
        if setting.grid != 1 and setting.kind == "integer" and value % setting.grid:
            return Problem("off_grid", {"grid": setting.grid})
        return out_of_range(setting.low, setting.high)

    def _sampler_problem(self, base: str) -> Problem | None:
        known = SAMPLERS[base]
        if not self.sampler or self.sampler in known:
            return None
        return Problem("unknown_sampler", {"names": ", ".join(known)})

    def _seeds_problem(self) -> Problem | None:
        if not 1 <= len(self.seeds) <= MOST_SEEDS:
            return Problem("wrong_count", {"low": 1, "high": MOST_SEEDS})
        if all(seed == RANDOM_SEED or SEED.allows(seed) for seed in self.seeds):
            return None
        return out_of_range(RANDOM_SEED, LARGEST_SEED)


def _within(name: str, path: str) -> str:
    """The path of the whole has no parts."""
    return f"{name}.{path}" if path else name


def _text_problem(setting: Setting, value: str) -> Problem | None:
    if setting.required and not value.strip():
        return Problem("prompt_needed")
    if len(value) > setting.high:
        return Problem("too_long", {"count": setting.high})
    return None if is_storable(value) else Problem("not_storable")


def is_storable(text: str) -> bool:
    """NUL cannot be stored, and lone surrogates can neither be stored nor sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def settings_of(row: Any) -> dict[str, Any]:
    """The settings that an object's attributes hold, NULL being the usual value."""
    found = {name: getattr(row, name) for name in (*SETTINGS, ADVANCED_PARAMS)}
    for setting in SETTINGS.values():
        if found[setting.name] is None and not setting.optional:
            found[setting.name] = setting.usual
    return found


def sift(found: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A stranger's settings by our names: those that may fill a form, and the others.

    Nothing is bent to fit: a value that a request could not have is told by its name.
    """
    said = {name: found[name] for name in _READ if name in found}
    # No guidance is a setting, and not one that was left out.
    said = {
        name: value
        for name, value in said.items()
        if value is not None or (name in _TABLE and _TABLE[name].optional)
    }
    good = {name: value for name, value in said.items() if _is_good(name, value)}
    return good, [name for name in said if name not in good]


_TABLE: Mapping[str, Setting] = {MODEL.name: MODEL, **SETTINGS, SEED.name: SEED}
_READ = (*_TABLE, ADVANCED_PARAMS)


def _is_good(name: str, value: Any) -> bool:
    if name == ADVANCED_PARAMS:
        return not advanced.problems_of(value)
    storable = not isinstance(value, str) or is_storable(value)
    return storable and _TABLE[name].allows(value)


def script_table() -> dict[str, Any]:
    """What a page's script needs of all this, ready for JSON."""
    return {
        "settings": {name: dict(_attributes(one)) for name, one in _TABLE.items()},
        "samplers": {
            base: [(name, SAMPLER_LABELS[name]) for name in names]
            for base, names in SAMPLERS.items()
        },
        "usual_side": USUAL_SIDE,
    }


def _attributes(setting: Setting) -> Iterator[tuple[str, Any]]:
    names = ("kind", "low", "high", "grid", "usual", "optional", "slider", "priced")
    yield from ((name, plain_value(getattr(setting, name))) for name in names)
