"""The folder of one checkout that holds everything local: `.pingvas/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pingvas.local.files import FolderLock, make_private_folder

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Home:
    """Names what lies in `.pingvas/`; the folder itself is made by `open_home`."""

    folder: Path

    @property
    def postgres(self) -> Path:
        """Data, port and password of the embedded PostgreSQL."""
        return self.folder / "postgres"

    @property
    def redis(self) -> Path:
        """Data, port and password of the embedded Redis."""
        return self.folder / "redis"

    @property
    def credentials(self) -> Path:
        """Keys and passwords made for this checkout."""
        return self.folder / "credentials.json"

    @property
    def lock(self) -> FolderLock:
        """Held by whoever runs the servers of this home."""
        return FolderLock(self.folder / "lock")

    def log(self, name: str) -> Path:
        """Where the program `name` writes."""
        return self.folder / "log" / f"{name}.log"


def open_home(folder: Path | None = None) -> Home:
    """Return this checkout's home, or the one in `folder`; made when missing."""
    return Home(make_private_folder((folder or CHECKOUT / ".pingvas").absolute()))
