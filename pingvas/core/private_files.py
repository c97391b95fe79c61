"""Files and folders of the product's own: nobody else's, whatever the umask says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

FOLDER = 0o700
FILE = 0o600


def make_private_folder(folder: Path) -> Path:
    """Make `folder` and its missing parents, all of them for this user alone."""
    for part in [*reversed(folder.parents), folder]:
        if not part.is_dir():
            part.mkdir(mode=FOLDER, exist_ok=True)
    return folder


def close_folder(folder: Path) -> None:
    """Make `folder` private if others may enter it, and so all that lies below.

    Mends one that an earlier version made, without a walk through its files.
    """
    if stat.S_IMODE(folder.stat().st_mode) & ~FOLDER:
        folder.chmod(FOLDER)


def private_opener(path: str, flags: int) -> int:
    """For `open(..., opener=...)`: a file that this makes is for this user alone."""
    return os.open(path, flags, FILE)
