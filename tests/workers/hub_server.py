"""A hub of one repository on the loopback address, with faults on demand.

Speaks what the hub documents: the model's listing with digests, files at a commit,
redirects of large ones to another place, and byte ranges.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REPOSITORY = "someone/tiny"
COMMIT = "c" * 40
TOKEN = "hf_of_the_tests"


def git_name(content: bytes) -> str:
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """`cuts`: connections that end after so many bytes, first to last, by file.

    `wrong`: files of which other bytes are sent. `asked`: (method, path, range).
    """

    files: dict[str, bytes]
    cuts: dict[str, list[int]] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    ranges: bool = True
    pause: float = 0.0
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    strangers_told: list[str] = field(default_factory=list)

    def __enter__(self) -> Hub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        # Large files come from another host name, as a content network's do.
        self._other = ThreadingHTTPServer(("127.0.0.2", 0), handler)
        for server in (self._server, self._other):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        for server in (self._server, self._other):
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self._server.server_address[:2])

    @property
    def other_url(self) -> str:
        return "http://{}:{}".format(*self._other.server_address[:2])

    def starts(self, name: str) -> list[int]:
        """From which byte a file was asked for, each time that it was sent."""
        return [
            int(span.removeprefix("bytes=").rstrip("-")) if span else 0
            for method, path, span in self.asked
            if method == "GET" and path.endswith(name) and "/cdn/" in path
        ]

    def listing(self) -> dict[str, object]:
        return {
            "id": REPOSITORY,
            "sha": COMMIT,
            "siblings": [
                {
                    "rfilename": name,
                    "size": len(content),
                    "blobId": git_name(content),
                    **self._lfs(name, content),
                }
                for name, content in self.files.items()
            ],
        }

    def _lfs(self, name: str, content: bytes) -> dict[str, object]:
        if not is_large(name):
            return {}
        digest = hashlib.sha256(content).hexdigest()
        return {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 130}}


def is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.hub, urlsplit(self.path).path
        hub.asked.append((self.command, path, self.headers.get("Range")))
        if path == f"/api/models/{REPOSITORY}":
            self._answer(200, json.dumps(hub.listing()).encode())
        elif path.startswith(f"/{REPOSITORY}/resolve/{COMMIT}/"):
            self._resolve(path.removeprefix(f"/{REPOSITORY}/resolve/{COMMIT}/"))
        elif path.startswith("/cdn/"):
            hub.strangers_told += self.headers.get_all("Authorization", [])
            self._send(path.removeprefix("/cdn/"))
        else:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _resolve(self, name: str) -> None:
        if name not in self.hub.files:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        elif is_large(name):
            place = f"{self.hub.other_url}/cdn/{name}"
            self._answer(302, b"", {"Location": place})
        else:
            self._send(name)

    def _send(self, name: str) -> None:
        hub, content = self.hub, self.hub.files[name]
        if name in hub.wrong:
            content = bytes(len(content))
        span = self.headers.get("Range") if hub.ranges else None
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        cuts = hub.cuts.get(name, [])
        end = start + cuts.pop(0) if cuts else len(content)
        headers = {"Content-Range": f"bytes {start}-/{len(content)}"} if span else {}
        self._head(206 if span else 200, len(content) - start, headers)
        for at in range(start, min(end, len(content)), 20_000):
            self.wfile.write(content[at : min(end, at + 20_000)])
            self.wfile.flush()
            time.sleep(hub.pause)
        self.close_connection = end < len(content)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self._head(status, len(body), headers or {})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
