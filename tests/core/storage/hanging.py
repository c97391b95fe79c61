"""A store that takes requests and does not answer them until it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HangingStore:
    """`asked`: whether a request has come. `go_on`: let all of them be refused."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.url = ""


@contextmanager
def a_hanging_store() -> Iterator[HangingStore]:
    store = HangingStore()

    class Handler(BaseHTTPRequestHandler):
        def hang(self) -> None:
            store.asked.set()
            store.go_on.wait(30)
            # Nothing that the client would try again.
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True

        do_GET = do_HEAD = do_PUT = do_POST = hang

        def log_message(self, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    try:
        yield store
    finally:
        store.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
