"""Which pipelines stay loaded: least recently used go first, within a budget."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from workers.engine.errors import ModelsInUse, OutOfMemory

T = TypeVar("T")
_ALLOCATOR_SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "alloc_failed",
)


@dataclass(slots=True)
class _Resident(Generic[T]):
    value: T
    size: int
    users: int = 0


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """Bytes of resident weights against the budget."""

    used: int
    budget: int
    models: int


class Residency(Generic[T]):
    """Loaded models by key. Threads may hold different models at once.

    A model in use is never dropped, so that one can be decoded while another takes
    its steps; who needs its room waits `patience` seconds for the end of that.
    """

    def __init__(self, budget: int, *, patience: float = 0.0) -> None:
        self.budget = budget
        self._patience = patience
        self._models: OrderedDict[str, _Resident[T]] = OrderedDict()
        # What is being built takes its room already.
        self._building = 0
        self._lock = threading.Condition(threading.RLock())

    def facts(self) -> MemoryFacts:
        with self._lock:
            return MemoryFacts(self._used(), self.budget, len(self._models))

    def get(self, key: str) -> T | None:
        """The model if it is loaded; it counts as used now."""
        with self._lock:
            resident = self._models.get(key)
            if resident is None:
                return None
            self._models.move_to_end(key)
            return resident.value

    def load(self, key: str, size: int, build: Callable[[], T]) -> T:
        """Make room for `size` bytes, then build; raises OutOfMemory if it cannot.

        Others go on meanwhile: to build may take minutes.
        """
        with self._lock:
            self._make_room(size)
            self._building += size
        try:
            value = build()
        except BaseException:
            self._built(size)
            raise
        with self._lock:
            self._built(size)
            self._models[key] = _Resident(value, size)
        return value

    def _built(self, size: int) -> None:
        with self._lock:
            self._building -= size

    @contextmanager
    def using(self, key: str) -> Iterator[None]:
        """Keep a model from being dropped inside the block."""
        with self._lock:
            resident = self._models[key]
            resident.users += 1
        try:
            yield
        finally:
            with self._lock:
                resident.users -= 1
                self._lock.notify_all()

    def drop_others(self, key: str) -> int:
        """Drop every idle model but one; the number dropped."""
        with self._lock:
            return self._drop([name for name in self._idle() if name != key])

    def drop_all(self) -> int:
        with self._lock:
            return self._drop(self._idle())

    def _used(self) -> int:
        held = sum(resident.size for resident in self._models.values())
        return held + self._building

    def _idle(self) -> list[str]:
        return [name for name, held in self._models.items() if not held.users]

    def _make_room(self, size: int) -> None:
        if size > self.budget:
            raise OutOfMemory(
                f"the model needs {size} bytes, the budget is {self.budget}",
                code="model_too_large",
            )
        if not self._lock.wait_for(lambda: self._could_free(size), self._patience):
            raise ModelsInUse("models in use leave no room for another one")
        free = self.budget - self._used()
        leaving: list[str] = []
        for name in self._idle():
            if free >= size:
                break
            free += self._models[name].size
            leaving.append(name)
        self._drop(leaving)

    def _could_free(self, size: int) -> bool:
        idle = sum(self._models[name].size for name in self._idle())
        return self.budget - self._used() + idle >= size

    def _drop(self, names: list[str]) -> int:
        for name in names:
            del self._models[name]
        if names:
            release_memory()
        return len(names)


def release_memory() -> None:
    """Hand freed memory back to the device and to the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    # glibc keeps what was freed; a worker that changes models would only ever grow.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA raises its own class, the processor's allocator a RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(s in text for s in _ALLOCATOR_SIGNS)


def is_device_lost(error: BaseException) -> bool:
    """Whether the accelerator's context is beyond repair in this process."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)
