"""One line of the log for each request, without what would let its reader in.

Queries are left out: they carry links' tokens, sockets' tickets and prompts.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field

log = logging.getLogger("pingvas.access")

# The client had left before there was an answer.
LEFT = 499
LONGEST_PATH = 300
# A secret in a path would be about this long; ids (36) and names are shorter.
_LONG_SEGMENT = re.compile(r"[^/]{41,}")


@dataclass
class Visit:
    """What is known of one request or socket while it lasts."""

    method: str
    path: str
    request_id: str
    user_id: str | None = None
    status: int = LEFT
    sent: int = 0
    began: float = field(default_factory=time.monotonic)

    def write(self) -> None:
        """The line, once it is over."""
        if not log.isEnabledFor(logging.INFO):
            return
        milliseconds = round((time.monotonic() - self.began) * 1000, 1)
        log.info(
            "%s %s %d %d B %s ms user %s",
            *(self.method, self.path, self.status, self.sent, milliseconds),
            self.user_id or "-",
            extra={
                "method": self.method,
                "path": self.path,
                "status": self.status,
                "bytes": self.sent,
                "ms": milliseconds,
                "user": self.user_id,
            },
        )


def safe_path(raw: bytes) -> str:
    """The path as it was sent, of bounded length, without what may be a secret."""
    text = raw.partition(b"?")[0].decode("ascii", "replace")
    return _LONG_SEGMENT.sub(lambda found: f"{found[0][:8]}…", text)[:LONGEST_PATH]
