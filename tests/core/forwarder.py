"""A TCP server on loopback that passes everything on, until it is cut.

With a TLS context it answers PostgreSQL's request for encryption and speaks TLS to the
client, which the embedded PostgreSQL cannot do.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from types import TracebackType

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Forwarder:
    def __init__(
        self, host: str, port: int, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.target = (host, port)
        self.tls = tls
        self.open_sockets: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._listen()

    def _listen(self) -> None:
        threading.Thread(
            target=self._accept, args=(self.listener,), daemon=True
        ).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.tls:
                assert client.recv(len(SSL_REQUEST), socket.MSG_WAITALL) == SSL_REQUEST
                client.sendall(b"S")
                client = self.tls.wrap_socket(client, server_side=True)
            server = socket.create_connection(self.target)
            self.open_sockets += [client, server]
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)

    def cut(self) -> None:
        """Refuse new connections and end the open ones."""
        _close(self.listener)
        while self.open_sockets:
            _close(self.open_sockets.pop())

    def mend(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def __enter__(self) -> Forwarder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _close(source)
    _close(sink)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Closing alone would not wake a thread that waits in accept() or recv().
        one.shutdown(socket.SHUT_RDWR)
    one.close()
