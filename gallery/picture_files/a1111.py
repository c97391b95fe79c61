"""The text that A1111 and Forge write, read as they read it, in one pass.

    the prompt, of any number of lines
    Negative prompt: likewise
    Steps: 20, Sampler: Euler a, Lora hashes: "a: 1f, b: 2e", Size: 512x768

The usual pattern for the last line tries each of its places anew: 200 kB of the wrong
text take half a minute. Here no place is looked at more than a few times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gallery.metadata import A1111_SAMPLERS, KARRAS, NEGATIVE
from gallery.picture_files.parts import LONGEST_NAME, MOST_NAMES

# A last line with fewer pairs is the end of a prompt, not the settings.
FEWEST_PAIRS = 3
# Lines that the extension for wildcards appends.
TEMPLATES = ("Template:", "Negative Template:")
# Possessive: what has matched is never tried another way.
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+"')
_SPACES = re.compile(r"\s*+")
_OUTSIDE_NAMES = re.compile(r"[^\w \-/]")
_WHOLE = re.compile(r"\d{1,12}", re.ASCII)

# The names that are read; a line without any of them is no line of settings.
_READ = {"Steps", "Sampler", "CFG scale", "Seed", "Size", "Model"}
SCHEDULE = "Schedule type"
# And those that say nothing which a form could be filled with.
_KNOWN = _READ | {"Model hash", "Version", SCHEDULE}
USUAL_SCHEDULES = {"", "Automatic", KARRAS.strip()}
_OURS = {theirs: ours for ours, theirs in A1111_SAMPLERS.items()}


@dataclass(frozen=True, kw_only=True)
class A1111Text:
    """values: by our names, what is no number where one is due as its text.

    unknown: their names of what is not understood.
    """

    values: dict[str, object]
    unknown: tuple[str, ...]


def read_a1111_text(text: str) -> A1111Text | None:
    """None for a text without a line of settings: A1111 writes none."""
    lines = text.strip().replace("\r\n", "\n").split("\n")
    place, pairs = _settings_line(lines)
    if not pairs:
        return None
    prompt, negative = _prompts(lines[:place])
    values = {"prompt": prompt, "negative_prompt": negative, **_values(pairs)}
    sampler, missed = _our_sampler(pairs.get("Sampler", ""), pairs.get(SCHEDULE, ""))
    if sampler:
        values["sampler"] = sampler
    unknown = [*missed, *(name for name in pairs if name not in _KNOWN)]
    return A1111Text(values=values, unknown=tuple(unknown[:MOST_NAMES]))


def _settings_line(lines: list[str]) -> tuple[int, dict[str, str]]:
    """Where it stands, and its pairs: none where there is no such line."""
    for place, line in enumerate(lines[1:]):
        if line.startswith(TEMPLATES) and (pairs := _settings(lines[place])):
            return place, pairs
    return len(lines) - 1, _settings(lines[-1])


def _settings(line: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for name, value in read_pairs(line):
        # What others append may say a name again, for a purpose of its own.
        pairs.setdefault(name, value)
    is_settings = len(pairs) >= FEWEST_PAIRS and not _READ.isdisjoint(pairs)
    return pairs if is_settings else {}


def read_pairs(line: str) -> Iterator[tuple[str, str]]:
    """`Name: value` or `Name: "a JSON string"`, separated by commas.

    Linear: a colon is met once, a value is passed at once. A quoted string that turns
    out to be none ends, if it does, at the next quote, before which no other begins.
    """
    at = 0
    while (colon := line.find(":", at)) >= 0:
        name = _name_before(line, at, colon)
        at = colon + 1
        if name:
            value, at = _value(line, at)
            yield name, value


def _name_before(line: str, at: int, colon: int) -> str:
    """The name that ends at the colon, or "" for prose and single letters."""
    tail = line[max(at, colon - LONGEST_NAME - 1) : colon]
    name = _OUTSIDE_NAMES.split(tail)[-1].strip(" -/")
    return name if 2 <= len(name) <= LONGEST_NAME else ""


def _value(line: str, at: int) -> tuple[str, int]:
    """The value from here, and where the next pair begins."""
    start = _end(_SPACES.match(line, at), at)
    end = _end(_QUOTED.match(line, start), start)
    if end > start and line[end : end + 1] in ("", ","):
        return _unquoted(line[start:end]), end + 1
    comma = line.find(",", start)
    end = len(line) if comma < 0 else comma
    return line[start:end].strip(), end + 1


def _end(match: re.Match[str] | None, start: int) -> int:
    return match.end() if match else start


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _prompts(lines: list[str]) -> tuple[str, str]:
    """The prompt and the negative one, which begins by its name and does not end."""
    prompts: tuple[list[str], list[str]] = ([], [])
    is_negative = False
    for line in lines:
        if line.lstrip().startswith(NEGATIVE):
            is_negative = True
            line = line.lstrip().removeprefix(NEGATIVE).strip()
        prompts[is_negative].append(line)
    prompt, negative = ("\n".join(found).strip() for found in prompts)
    return prompt, negative


def _values(pairs: dict[str, str]) -> dict[str, object]:
    width, _, height = pairs.get("Size", "").partition("x")
    found: dict[str, object] = {
        "model": pairs.get("Model"),
        "width": _whole(width),
        "height": _whole(height),
        "steps": _whole(pairs.get("Steps", "")),
        "cfg_scale": _decimal(pairs.get("CFG scale", "")),
        "seed": _whole(pairs.get("Seed", "")),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _whole(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _decimal(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _our_sampler(name: str, schedule: str) -> tuple[str, list[str]]:
    """Ours, or "", and the names of what could not be taken over.

    `DPM++ 2M Karras` once, and `Sampler: DPM++ 2M, Schedule type: Karras` now.
    """
    plain = name.removesuffix(KARRAS)
    whole = plain + KARRAS if schedule == KARRAS.strip() else name
    if whole in _OURS:
        return _OURS[whole], [] if schedule in USUAL_SCHEDULES else [SCHEDULE]
    if plain in _OURS:
        return _OURS[plain], [SCHEDULE]
    return "", ["Sampler"] if name else []
