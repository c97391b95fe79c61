"""A client that costs next to nothing: it shares the processors with the server."""

from __future__ import annotations

import socket

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


class HttpClient:
    """One kept connection that sends the same request again and again."""

    def __init__(self, port: int, request: bytes) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request

    def send(self) -> tuple[int, bytes]:
        """Send the request; status and body of the answer."""
        self._socket.sendall(self._request)
        answer = b""
        while END_OF_HEAD not in answer:
            answer += self._receive()
        head, _, body = answer.partition(END_OF_HEAD)
        lines = head.lower().split(b"\r\n")
        [length] = [line[len(LENGTH) :] for line in lines if line.startswith(LENGTH)]
        while len(body) < int(length):
            body += self._receive()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        part = self._socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


def post_request(path: str, body: bytes, *, token: str = "") -> bytes:
    """A POST of JSON, signed in by an access token if there is one."""
    lines = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return _head("POST", path, token, *lines) + body


def get_request(path: str, *, token: str) -> bytes:
    """A GET, signed in by an access token."""
    return _head("GET", path, token)


def _head(method: str, path: str, token: str, *lines: str) -> bytes:
    signed_in = [f"Authorization: Bearer {token}"] if token else []
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", *signed_in, *lines]
    return "\r\n".join(head).encode() + END_OF_HEAD
