"""Bytes that wait for a thread or for a client: few in memory, more in files.

What all of them together may take has an end, in memory and on the disk.
"""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Lock
from typing import BinaryIO

from pingvas.core.errors import TooBusy

LARGEST_IN_MEMORY = 256 * 1024
MEGABYTE = 1024 * 1024


class Budget:
    """So many bytes, taken and given back by any thread."""

    def __init__(self, most: int) -> None:
        self.left = most
        self._lock = Lock()

    def take(self, count: int) -> bool:
        with self._lock:
            if count > self.left:
                return False
            self.left -= count
            return True

    def give_back(self, count: int) -> None:
        with self._lock:
            self.left += count


class Store:
    """Where one process holds bytes.

    folder: of the files, which have no name and end with the process; None: the
    system's own for temporary files.
    """

    def __init__(self, *, memory: int, files: int, folder: str | None = None) -> None:
        self.memory = Budget(memory)
        self.files = Budget(files)
        self.folder = folder
        self.disk = ThreadPoolExecutor(4, thread_name_prefix="disk")

    def hold(self) -> Hold:
        return Hold(self)


class Hold:
    """One body or answer. To be released, whatever happens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._on_disk = 0

    @property
    def size(self) -> int:
        return len(self._memory) + self._on_disk

    @property
    def file(self) -> BinaryIO | None:
        """The file, when it is one."""
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
        """All of it, from its beginning."""
        if self._file is None:
            return BytesIO(self._memory)
        self._file.seek(0)
        return self._file

    def content(self) -> bytes:
        """What is held in memory."""
        return bytes(self._memory)

    def release(self) -> None:
        self._store.memory.give_back(len(self._memory))
        self._store.files.give_back(self._on_disk)
        self._memory, self._on_disk = bytearray(), 0
        if self._file is not None:
            self._file.close()

    def _add_to_memory(self, chunk: bytes) -> bool:
        fits = len(self._memory) + len(chunk) <= LARGEST_IN_MEMORY
        if self._file is not None or not fits:
            return False
        if not self._store.memory.take(len(chunk)):
            return False
        self._memory += chunk
        return True

    def _add_to_file(self, chunk: bytes) -> None:
        # What memory held so far goes first, and its place there is free again.
        moved = b"" if self._file else bytes(self._memory)
        if not self._store.files.take(len(moved) + len(chunk)):
            raise TooBusy(retry_after=TooBusy.RETRY_SECONDS)
        self._on_disk += len(moved) + len(chunk)
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._store.folder)  # noqa: SIM115  # closed by release
            self._store.memory.give_back(len(moved))
            self._memory = bytearray()
        self._file.write(moved + chunk)
