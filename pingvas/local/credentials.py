"""Random passwords and keys of one checkout, made once and kept."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

from pingvas.local.errors import LocalError
from pingvas.local.files import write_private_file

MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "LEDGER_SIGNING_KEY": lambda: secrets.token_hex(32),
    "DB_OWNER_PASSWORD": lambda: secrets.token_hex(24),
    "DB_APP_PASSWORD": lambda: secrets.token_hex(24),
    "DB_WORKER_PASSWORD": lambda: secrets.token_hex(24),
    "DB_READONLY_PASSWORD": lambda: secrets.token_hex(24),
    # These two are typed by people.
    "DEMO_PASSWORD": lambda: secrets.token_urlsafe(9),
    "STAFF_PASSWORD": lambda: secrets.token_urlsafe(9),
}


def load_credentials(path: Path) -> dict[str, str]:
    """Return every credential by its environment name, making what is missing.

    Raises:
        LocalError: the file is not what this function wrote.
    """
    kept = _read(path)
    missing = {name: make() for name, make in MAKERS.items() if name not in kept}
    if missing:
        write_private_file(path, json.dumps(kept | missing, indent=2) + "\n")
    return kept | missing


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LocalError(
            f"{path} is damaged. Remove it: new passwords are made at the next start.",
            f"{path} 파일이 손상되었습니다. 지우면 다음 시작 때 새로 만들어집니다.",
        ) from error
    return {str(name): str(value) for name, value in kept.items()}
