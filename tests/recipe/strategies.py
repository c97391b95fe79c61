"""Recipes of any kind that a request may have, made from the recipe's own table."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from pingvas.recipe.advanced import ADVANCED, VERSION, VERSION_KEY
from pingvas.recipe.samplers import SAMPLERS
from pingvas.recipe.settings import MOST_SEEDS, RANDOM_SEED, SEED, SETTINGS

BASE = "sd15"
STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
IDS = st.uuids().map(str)


def values_of(setting):
    """Values that the setting allows, as JSON has them."""
    if setting.name == "sampler":
        return st.sampled_from(SAMPLERS[BASE])
    if setting.kind == "string":
        # The API takes spaces from both ends of a text.
        return st.text(STORABLE, min_size=setting.low, max_size=60).filter(
            lambda text: text == text.strip()
        )
    if setting.kind == "integer":
        grid = int(setting.grid)
        return st.integers(setting.low // grid, setting.high // grid).map(
            lambda number: max(setting.low, number * grid)
        )
    return st.none() | st.decimals(setting.low, setting.high, places=2).map(float)


def values_by(schema):
    """Values of a JSON schema, as far as the table of `advanced_params` uses them."""
    kind = schema["type"]
    if isinstance(kind, list):
        return st.none() | values_by({**schema, "type": kind[0]})
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if kind == "string":
        names = st.text(STORABLE, min_size=1, max_size=20)
        return IDS if schema.get("format") == "uuid" else names
    if kind in ("integer", "number"):
        low, high = schema["minimum"], schema["maximum"]
        return st.integers(low, high) if kind == "integer" else st.floats(low, high)
    if kind == "array":
        return st.lists(values_by(schema["items"]), min_size=1, max_size=2)
    if kind == "boolean":
        return st.booleans()
    parts = {name: values_by(one) for name, one in schema["properties"].items()}
    needed = {name: parts.pop(name) for name in schema["required"]}
    return st.fixed_dictionaries(needed, optional=parts)


ADVANCED_PARAMS = st.none() | st.fixed_dictionaries(
    {VERSION_KEY: st.just(VERSION)},
    optional={name: values_by(schema) for name, schema in ADVANCED.items()},
)
REQUESTS = st.fixed_dictionaries(
    {
        "model": st.just("starter"),
        **{name: values_of(setting) for name, setting in SETTINGS.items()},
        "seeds": st.lists(
            st.just(RANDOM_SEED) | values_of(SEED), min_size=1, max_size=MOST_SEEDS
        ),
        "advanced_params": ADVANCED_PARAMS,
    }
)


def as_decimal(value):
    return None if value is None else Decimal(str(value))
