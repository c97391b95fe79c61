"""Workers tell what they serve, and that they live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from generation.models import Worker
from pingvas.core.db.functions import Now


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A worker process; `device_memory` in bytes, `served_models` None for all."""

    worker_id: UUID
    name: str
    tiers: Sequence[str]
    hardware_class: str
    device_memory: int
    served_models: Sequence[str] | None = None


def register_worker(worker: Registration) -> None:
    Worker.objects.create(
        id=worker.worker_id,
        name=worker.name,
        tiers=list(worker.tiers),
        served_models=worker.served_models and list(worker.served_models),
        hardware_class=worker.hardware_class,
        device_memory=worker.device_memory,
    )


def beat(
    worker_id: UUID, *, warm_models: Sequence[str], served_models: Sequence[str]
) -> bool:
    """Say that the worker lives, and with what; False when it is not registered."""
    changed = Worker.objects.filter(id=worker_id).update(
        heartbeat_at=Now(),
        warm_models=list(warm_models),
        served_models=list(served_models),
    )
    return bool(changed)


def leave(worker_id: UUID) -> None:
    Worker.objects.filter(id=worker_id).delete()
