"""`advanced_params`: what a picture may be asked for beside the plain settings.

One table, as JSON schemas: a key that is added here travels through the API, the row,
the engine's pass, the file and back. Unknown keys and a missing version are refused; an
old version is read for ever. Whether an engine can do a thing is the engine's to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pingvas.recipe.problems import Problem, out_of_range
from pingvas.recipe.settings import LONGEST_SIDE, SETTINGS, Setting

VERSION = 1
VERSION_KEY = "version"

Schema = dict[str, Any]
_LONGEST_KEY = 50
# Far more than all that the table knows, each at its most.
_MOST_PARTS = 300
_DEEPEST = 8


def whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def number(low: float, high: float) -> Schema:
    return {"type": "number", "minimum": low, "maximum": high}


def plain(setting: Setting) -> Schema:
    """Of a number that is bounded like one of the plain settings."""
    return {"type": setting.kind, "minimum": setting.low, "maximum": setting.high}


def choice(*names: str) -> Schema:
    return {"type": "string", "enum": list(names)}


def up_to(most: int, item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": most, "items": item}


def group(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def or_none(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


# NUL and lone surrogates cannot be stored.
_NAME: Schema = {
    "type": "string",
    "pattern": "^[^\\u0000\\ud800-\\udfff]+$",
    "maxLength": 100,
}
_ID: Schema = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
    # To Python the pattern may also end before a line's end.
    "maxLength": 36,
}
_FLAG: Schema = {"type": "boolean"}
_PIXELS = whole(0, LONGEST_SIDE)
_PART = number(0, 1)

ADVANCED: dict[str, Schema] = {
    "init": group(("image",), image=_ID, strength=_PART),
    "mask": group(
        ("image",),
        image=_ID,
        blur=whole(0, 64),
        invert=_FLAG,
        fill=choice("original", "noise", "blur"),
        only_masked=or_none(group(padding=whole(0, 512))),
    ),
    "outpaint": group(left=_PIXELS, top=_PIXELS, right=_PIXELS, bottom=_PIXELS),
    "loras": up_to(
        5,
        group(
            ("model",),
            model=_NAME,
            weight=number(-2, 2),
            text_encoder_weight=number(-2, 2),
        ),
    ),
    "embeddings": up_to(10, _NAME),
    "controls": up_to(
        3,
        group(
            ("model", "image"),
            model=_NAME,
            image=_ID,
            preprocessor=or_none(_NAME),
            weight=number(0, 2),
            start=_PART,
            end=_PART,
            resize=choice("crop", "fill", "stretch"),
        ),
    ),
    "references": up_to(
        2,
        group(
            ("model", "image"),
            model=_NAME,
            image=_ID,
            weight=number(0, 2),
            start=_PART,
            end=_PART,
        ),
    ),
    "vae": _NAME,
    "clip_skip": whole(1, 4),
    "seamless": choice("none", "x", "y", "both"),
    "hires": group(
        ("scale",),
        scale=number(1, 4),
        upscaler=_NAME,
        steps=plain(SETTINGS["steps"]),
        strength=_PART,
    ),
    "upscale": group(("model",), model=_NAME, scale=number(1, 8)),
    "draft_of": _ID,
    "workflow": group(("run", "node"), run=_ID, node=_NAME),
}

# What names pictures, by the role in which a job reads them.
_ROLES = {
    "init": "init",
    "mask": "mask",
    "controls": "control",
    "references": "reference",
}

# What of it the engines of this version can do. A job needs a worker that has these;
# whatever else it asks for is refused by name, by whichever worker takes it.
DRAWN: frozenset[str] = frozenset()


def advanced_schema() -> Schema:
    """The whole object, as the table stands now."""
    properties = {VERSION_KEY: {"type": "integer", "enum": [VERSION]}, **ADVANCED}
    return group((VERSION_KEY,), **properties)


def modules_of(advanced: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What it asks of an engine beside the plain settings."""
    return tuple(sorted(key for key in advanced or () if key != VERSION_KEY))


def pictures_of(advanced: Mapping[str, Any] | None) -> list[tuple[str, int, UUID]]:
    """The pictures that it reads: role, place among those of the role, id."""
    return [
        (role, index, UUID(each["image"]))
        for key, role in _ROLES.items()
        for index, each in enumerate(_all_of((advanced or {}).get(key)))
    ]


def _all_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def problems_of(advanced: object) -> dict[str, Problem]:
    """What is wrong, by the path of its place: `loras.0.weight`."""
    if advanced is None:
        return {}
    if not _is_of_a_sound_size(advanced):
        return {"": Problem("unreadable")}
    errors = Draft202012Validator(advanced_schema()).iter_errors(advanced)
    return {path: problem for error in errors for path, problem in _problems(error)}


def _is_of_a_sound_size(value: object) -> bool:
    """Looked at before all else: a validator names the faults of every part."""
    level, seen = [value], 0
    for _ in range(_DEEPEST):
        seen += len(level)
        if seen > _MOST_PARTS or not all(_is_finite(one) for one in level):
            return False
        level = [part for one in level for part in _parts(one)]
    return not level


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from islice(value.values(), _MOST_PARTS + 1)
    elif isinstance(value, list):
        yield from value[: _MOST_PARTS + 1]


def _problems(error: ValidationError) -> Iterator[tuple[str, Problem]]:
    at = [str(part) for part in error.absolute_path]
    if error.validator == "required":
        missing = set(error.validator_value) - set(error.instance)
        yield from ((_path(*at, key), Problem("required")) for key in missing)
    elif error.validator == "additionalProperties":
        unknown = set(error.instance) - set(error.schema["properties"])
        yield from ((_path(*at, key), Problem("unknown_setting")) for key in unknown)
    else:
        yield _path(*at), _problem_of(error)


def _problem_of(error: ValidationError) -> Problem:
    schema: Schema = error.schema
    if error.validator in ("minimum", "maximum"):
        return out_of_range(schema["minimum"], schema["maximum"])
    if error.validator in ("minItems", "maxItems"):
        return Problem("wrong_count", {"low": 1, "high": schema["maxItems"]})
    if error.validator == "maxLength":
        return Problem("too_long", {"count": schema["maxLength"]})
    if error.validator == "enum":
        known = ", ".join(str(value) for value in schema["enum"])
        return Problem("unknown_choice", {"names": known})
    return Problem("unreadable")


def _path(*parts: str) -> str:
    # A stranger's key may be of any length, and of half a character.
    path = ".".join(part[:_LONGEST_KEY] for part in parts)
    return path.encode("utf-8", "replace").decode()
