"""What a job needs of the worker that runs it, and which workers have it.

A worker names modules that it has and the largest checkpoint that it holds, never the
models: of those there may be any number.
"""

from __future__ import annotations

from collections.abc import Collection

from modelhub.models import AIModel
from pingvas.recipe import advanced


def base_module(base: str) -> str:
    """The module of a worker that draws with models of this base."""
    return f"base:{base}"


def modules_for(model: AIModel, asked: Collection[str] = ()) -> list[str]:
    """The modules that a picture of this model takes; `asked` are its recipe's."""
    base = [base_module(model.base_model)] if model.base_model else []
    return base + sorted(advanced.DRAWN.intersection(asked))


def bytes_of(model: AIModel) -> int:
    """What a worker has to hold for it."""
    return model.file_size or 0


# Asked of a row of `generation_workers`, about a job that is there or may come.
CAN_RUN = """
    worker.lane = %(lane)s
    AND worker.tiers @> ARRAY[%(tier)s]
    AND (worker.capabilities IS NULL OR %(needs)s::text[] <@ worker.capabilities)
    AND (worker.largest_bytes IS NULL OR %(bytes)s <= worker.largest_bytes)
    AND (worker.served_models IS NULL OR worker.served_models @> ARRAY[%(model)s])
    AND NOT worker.left_alone @> ARRAY[%(model)s]
    AND worker.heartbeat_at > now() - %(silence)s
"""
# The same of the job `j`, by what a worker says of itself with its claim.
FOR_WORKER = """
    (%(capabilities)s::text[] IS NULL OR j.needs <@ %(capabilities)s::text[])
    AND (%(largest)s::bigint IS NULL OR j.needs_bytes <= %(largest)s::bigint)
    AND (%(served)s::text[] IS NULL OR j.model = ANY(%(served)s::text[]))
    AND NOT j.model = ANY(%(left_alone)s::text[])
"""
