"""Bytes that wait for a thread or for a client: few in memory, more in files.

What all of them together may take has an end, in memory and on the disk, and so has
what one client may take of that.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import tempfile
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BufferedReader, BytesIO, FileIO
from threading import Lock
from typing import BinaryIO

from pingvas.core.errors import TooBusy

log = logging.getLogger(__name__)

LARGEST_IN_MEMORY = 256 * 1024
MEGABYTE = 1024 * 1024
# No space, no quota, no descriptor: all pass when others are done.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


class Budget:
    """So many bytes, taken and given back by any thread.

    share: how many of them one taker may have at once.
    """

    def __init__(self, most: int, share: int) -> None:
        self.left = most
        self._share = share
        self._taken: dict[Hashable, int] = {}
        self._lock = Lock()

    def take(self, whose: Hashable, count: int) -> bool:
        """Whether so much was left, of all and of this taker's share."""
        with self._lock:
            if count > min(self.left, self._share - self._taken.get(whose, 0)):
                return False
            self._move(whose, count)
            return True

    def give_back(self, whose: Hashable, count: int) -> None:
        with self._lock:
            self._move(whose, -count)

    def _move(self, whose: Hashable, count: int) -> None:
        self.left -= count
        # Who has nothing is forgotten: strangers are many.
        if taken := self._taken.pop(whose, 0) + count:
            self._taken[whose] = taken


class Store:
    """Where one process holds bytes.

    shares: one taker may have one part of so many, in memory and in files, but in files
    always `largest`, so that the largest of what is held here finds room.
    folder: of the files, which have no name and end with the process; None: the
    system's own for temporary files.
    """

    def __init__(
        self,
        *,
        memory: int,
        files: int,
        shares: int = 1,
        largest: int = 0,
        folder: str | None = None,
    ) -> None:
        self.memory = Budget(memory, memory // shares)
        self.files = Budget(files, max(files // shares, largest))
        self.folder = folder
        self.disk = ThreadPoolExecutor(4, thread_name_prefix="disk")

    def hold(self, whose: Hashable = None) -> Hold:
        return Hold(self, whose)


class Hold:
    """One body or answer. To be released, whatever happens."""

    def __init__(self, store: Store, whose: Hashable) -> None:
        self._store = store
        self._whose = whose
        self._memory = bytearray()
        self._file: FileIO | None = None
        self._on_disk = 0

    @property
    def size(self) -> int:
        return len(self._memory) + self._on_disk

    @property
    def file(self) -> FileIO | None:
        """The file, when it is one. All that was added can be read from it."""
        return self._file

    def add(self, chunk: bytes) -> None:
        """Append; TooBusy when nothing is left. May write to the disk."""
        if not self._add_to_memory(chunk):
            self._add_to_file(chunk)

    async def add_from_loop(self, chunk: bytes) -> None:
        """`add` without blocking the event loop."""
        if not self._add_to_memory(chunk):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._store.disk, self._add_to_file, chunk)

    def reader(self) -> BinaryIO:
        """All of it, from its beginning; to be asked for once."""
        if self._file is None:
            return BytesIO(self._memory)
        self._file.seek(0)
        return BufferedReader(self._file)

    def content(self) -> bytes:
        """What is held in memory."""
        return bytes(self._memory)

    def release(self) -> None:
        self._store.memory.give_back(self._whose, len(self._memory))
        self._store.files.give_back(self._whose, self._on_disk)
        self._memory, self._on_disk = bytearray(), 0
        if self._file is not None:
            self._file.close()

    def _add_to_memory(self, chunk: bytes) -> bool:
        fits = len(self._memory) + len(chunk) <= LARGEST_IN_MEMORY
        if self._file is not None or not fits:
            return False
        if not self._store.memory.take(self._whose, len(chunk)):
            return False
        self._memory += chunk
        return True

    def _add_to_file(self, chunk: bytes) -> None:
        # What memory held so far goes first, and its place there is free again.
        moved = b"" if self._file else bytes(self._memory)
        count = len(moved) + len(chunk)
        if not self._store.files.take(self._whose, count):
            raise TooBusy(retry_after=TooBusy.RETRY_SECONDS)
        self._on_disk += count
        with _full_is_busy():
            if self._file is None:
                self._file = _new_file(self._store.folder)
            _write(self._file, moved + chunk)
        self._store.memory.give_back(self._whose, len(moved))
        self._memory = bytearray()


def _new_file(folder: str | None) -> FileIO:
    # Without a buffer: answers are read by the descriptor, past whatever Python keeps.
    return tempfile.TemporaryFile(buffering=0, dir=folder)


def _write(file: FileIO, content: bytes) -> None:
    """All of it: the system may take a part at a time, as of a disk almost full."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


@contextmanager
def _full_is_busy() -> Iterator[None]:
    """TooBusy, and a line for the operator, where the system has no more room."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        log.warning("no room for a body or an answer: %s", error.strerror)
        raise TooBusy(retry_after=TooBusy.RETRY_SECONDS) from error
