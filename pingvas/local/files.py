"""Private files: passwords, ports and locks that belong to one checkout."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from pingvas.core import private_files
from pingvas.local.errors import LocalError


def make_private_folder(folder: Path) -> Path:
    """Make `folder` and its missing parents, all of mode 700.

    Raises:
        LocalError: it belongs to another user, or a file is in its place.
    """
    try:
        private_files.make_private_folder(folder)
        private_files.close_folder(folder)
        os.scandir(folder).close()
    except OSError as error:
        raise LocalError(
            f"{folder} cannot be used ({error.strerror}). It may belong to another "
            "user: run as that user, or remove it and start again.",
            f"{folder} 폴더를 쓸 수 없습니다 ({error.strerror}). 다른 사용자의 "
            "폴더라면 그 사용자로 실행하거나, 지우고 다시 시작하세요.",
        ) from error
    return folder


def write_private_file(path: Path, text: str) -> None:
    """Replace `path` by `text`, readable by the owner alone, whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def read_or_make_password(path: Path) -> str:
    """Return the password kept in `path`; make a random one where there is none."""
    if not path.exists():
        write_private_file(path, secrets.token_hex(24))
    return path.read_text(encoding="utf-8").strip()


class FolderLock:
    """An advisory lock that the kernel gives back however its holder ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, note: str) -> bool:
        """Take the lock and leave `note` for the next who asks; False when held."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
        self._descriptor = descriptor
        return True

    def note(self) -> str:
        """What the present holder says about itself."""
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def release(self) -> None:
        """Give the lock back; without effect when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
