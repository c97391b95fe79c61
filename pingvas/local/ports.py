"""Ports on the loopback interface."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from pingvas.local.files import write_private_file

LOOPBACK = "127.0.0.1"

# Below the range that kernels hand to outgoing connections, so that a port kept
# for the next start is not taken by a browser meanwhile.
KEPT_PORTS = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def pick_port() -> int:
    """Return a port that nobody listens on."""
    candidates = random.sample(KEPT_PORTS, 200)
    return next(port for port in candidates if is_free(port))


def keep_port(path: Path, *, renew: bool = False) -> int:
    """Return the port kept in `path` while it is free, else pick and keep another."""
    kept = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    if kept.isdecimal() and not renew and is_free(int(kept)):
        return int(kept)
    port = pick_port()
    write_private_file(path, str(port))
    return port
