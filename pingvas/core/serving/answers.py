"""An answer on its way from a thread to a client that may be slow.

The thread makes all of it and is free. What it made waits in a `Hold`; of an open file
the answer keeps a handle of its own, and the event loop sends it piece by piece.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import UnsupportedOperation
from typing import Any, BinaryIO

from pingvas.core.serving.asgi_types import Message, Send
from pingvas.core.serving.holds import Hold, Store

PIECE = 128 * 1024


class FileToSend:
    """What `wsgi.file_wrapper` makes of a file: it need not be read by the thread."""

    def __init__(self, file: BinaryIO, block_size: int = PIECE) -> None:
        self.file = file
        self._block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        while block := self.file.read(self._block_size):
            yield block

    def close(self) -> None:
        self.file.close()


@dataclass
class Remainder:
    """Part of a file that is sent from the loop; `descriptor` is the answer's own."""

    descriptor: int
    start: int
    end: int


class Answer:
    """One answer. Filled by a thread, then sent and released by the loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hold: Hold = store.hold()
        self._head: Message | None = None
        self._file: Remainder | None = None

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """WSGI's `start_response`."""
        self._head = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": [
                # Django's cookies begin with a space.
                (name.lower().encode("latin1"), value.strip().encode("latin1"))
                for name, value in headers
            ],
        }
        return self._hold.add

    def take(self, chunks: Any) -> None:
        """All of what the application returned; TooBusy when there is no room."""
        if isinstance(chunks, FileToSend) and self._take_file(chunks.file):
            return
        for chunk in chunks:
            self._hold.add(chunk)

    def _take_file(self, file: BinaryIO) -> bool:
        """Whether it is a file of the system's, of which a handle can be kept."""
        try:
            descriptor, start = file.fileno(), file.tell()
        except (AttributeError, UnsupportedOperation):
            return False
        end = os.fstat(descriptor).st_size
        if end - start <= PIECE:
            # Short: that saves the loop a way to the disk.
            self._hold.add(os.pread(descriptor, end - start, start))
        else:
            self._file = Remainder(os.dup(descriptor), start, end)
        return True

    async def send(self, send: Send, *, head_only: bool = False) -> None:
        if self._head is not None:
            await send(self._head)
        if not head_only:
            await self._send_files(send)
        last = b"" if head_only else self._hold.content()
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _send_files(self, send: Send) -> None:
        if self._hold.file is not None:
            size = self._hold.size
            await self._send_file(Remainder(self._hold.file.fileno(), 0, size), send)
        if self._file is not None:
            await self._send_file(self._file, send)

    async def _send_file(self, file: Remainder, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while file.start < file.end:
            count = min(PIECE, file.end - file.start)
            piece = await loop.run_in_executor(
                self._store.disk, os.pread, file.descriptor, count, file.start
            )
            if not piece:
                raise OSError("a file became shorter while it was sent")
            file.start += len(piece)
            message = {"type": "http.response.body", "body": piece, "more_body": True}
            await send(message)

    def release(self) -> None:
        self._hold.release()
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None
