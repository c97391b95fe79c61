"""What can go wrong in a pass, by stable code.

`permanent` tells the caller whether the same work could succeed on another attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.engine.specs import PassResult, Timings


class EngineError(Exception):
    """Root of the engine's errors; the message is for operators, the code for code.

    Raised by its kinds alone: each has a code, or is given one.
    """

    code: str
    permanent = True

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class ModelRefused(EngineError):
    """The checkpoint cannot be loaded safely or is of no supported kind."""

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(reason, code=code)
        self.reason = reason


class SpecRefused(EngineError):
    """The request itself is impossible for this model: size, sampler, seeds."""

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(reason, code=code)


class OutOfMemory(EngineError):
    """The device has too little memory, also after halving the batch once."""

    code = "out_of_memory"


class ModelsInUse(OutOfMemory):
    """Other passes keep their models longer than this one can wait."""

    code = "models_in_use"
    permanent = False


class DeviceLost(EngineError):
    """The accelerator's context is broken; the process must be started anew."""

    code = "device_lost"
    permanent = False


class BrokenPicture(EngineError):
    """The model produced NaN, infinity or an all-black picture.

    `indexes` are the positions in the pass; `good` holds the result when other
    pictures of the same pass are sound (their broken neighbours are None in it).
    """

    code = "broken_picture"

    def __init__(
        self, indexes: tuple[int, ...], *, why: str, good: PassResult | None
    ) -> None:
        super().__init__(f"{why} in picture(s) {', '.join(map(str, indexes))}")
        self.indexes = indexes
        self.good = good


class Stopped(EngineError):
    """The caller asked to stop; raised between steps, never inside one."""

    code = "stopped"

    def __init__(self, reason: str, *, steps_done: int, timings: Timings) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps_done = steps_done
        self.timings = timings
