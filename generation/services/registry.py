"""Workers tell what they are able to run, and that they live."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from generation.lanes import Lane
from generation.models import Worker
from pingvas.core.db.functions import Now


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A worker process.

    device_memory: bytes. capabilities: the modules that it has, and `largest_bytes` of
    a checkpoint that it holds; None for any. served_models: the names that its
    operator allows, None for all.
    """

    worker_id: UUID
    name: str
    tiers: Sequence[str]
    hardware_class: str
    device_memory: int
    lane: str = Lane.GPU
    capabilities: Collection[str] | None = None
    largest_bytes: int | None = None
    served_models: Sequence[str] | None = None


def register_worker(worker: Registration) -> None:
    Worker.objects.create(
        id=worker.worker_id,
        name=worker.name,
        lane=worker.lane,
        tiers=list(worker.tiers),
        capabilities=_listed(worker.capabilities),
        largest_bytes=worker.largest_bytes,
        served_models=_listed(worker.served_models),
        hardware_class=worker.hardware_class,
        device_memory=worker.device_memory,
    )


def _listed(names: Collection[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def beat(
    worker_id: UUID, *, warm_models: Sequence[str], left_alone: Sequence[str] = ()
) -> bool:
    """Say that the worker lives, with which models loaded, and which it leaves to
    others for now; False when it is not registered.
    """
    changed = Worker.objects.filter(id=worker_id).update(
        heartbeat_at=Now(),
        warm_models=list(warm_models),
        left_alone=list(left_alone),
    )
    return bool(changed)


def leave(worker_id: UUID) -> None:
    Worker.objects.filter(id=worker_id).delete()
