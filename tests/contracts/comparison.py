"""The rules by which two catalogues count as the same."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from tests.contracts.catalog import HERE, Catalog, Thing

DEPARTURES: dict[str, str] = tomllib.loads(
    (HERE / "departures.toml").read_text(encoding="utf-8")
)
_ADDITIONS = tomllib.loads((HERE / "additions.toml").read_text(encoding="utf-8"))
ADDED_RELATIONS: dict[str, str] = _ADDITIONS["relations"]
ADDED_THINGS: dict[str, str] = _ADDITIONS["things"]


def departed(specified: Catalog, ours: Catalog) -> set[Thing]:
    """What the specification has and the migrated schema lacks or has otherwise."""
    return {thing for thing, wanted in specified.items() if ours.get(thing) != wanted}


def added(specified: Catalog, ours: Catalog) -> set[Thing]:
    return ours.keys() - specified.keys()


def without_reason(things: Iterable[Thing]) -> set[Thing]:
    """The things that neither a listed relation nor a listed thing accounts for."""
    things = set(things)
    listed = {thing for thing in things if _listed(thing)}
    # A listed column brings its default, a policy its roles, a constraint its index.
    owners = {thing[1:] for thing in listed if thing.name}
    return {
        thing
        for thing in things - listed
        if thing.relation not in ADDED_RELATIONS and thing[1:] not in owners
    }


def _listed(thing: Thing) -> bool:
    return any(fnmatchcase(str(thing), pattern) for pattern in ADDED_THINGS)


def stale_additions(things: Iterable[Thing]) -> set[str]:
    """The listed reasons that nothing in the migrated schema needs any more."""
    names = [str(thing) for thing in things]
    relations = {f"relation {relation}" for relation in ADDED_RELATIONS}
    return {
        pattern
        for pattern in {*ADDED_THINGS, *relations}
        if not any(fnmatchcase(name, pattern) for name in names)
    }
