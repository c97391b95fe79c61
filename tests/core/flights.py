"""Counts what really goes to PostgreSQL and comes back, from libpq's own trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.handlers.wsgi import WSGIHandler
from django.db import connections

# A frontend message that asks for an answer and waits for it: a simple query, or the
# Sync that ends an extended one.
_ASKS = re.compile(r"^F\t\d+\t(Query|Parse|Sync)(?:\t ?(.*))?$", re.MULTILINE)


def flights_in(trace: str) -> list[str]:
    """The text of each round trip, in order."""
    found: list[str] = []
    parsed = ""
    for kind, words in _ASKS.findall(trace):
        if kind == "Parse":
            parsed = words
        else:
            found.append(words if kind == "Query" else parsed)
    return found


@contextmanager
def traced_pool(folder: Path) -> Iterator[Callable[[], list[str]]]:
    """Leaves one connection in the pool and yields what reads its flights."""
    pool = connections["default"].pool
    pool.open(wait=True)
    held = [pool.getconn() for _ in range(pool.get_stats()["pool_size"])]
    traced, *others = held
    path = folder / "flights"
    with path.open("w+b") as file:
        traced.pgconn.trace(file.fileno())
        traced.pgconn.set_trace_flags(_suppress_timestamps())
        pool.putconn(traced)
        try:
            yield lambda: flights_in(path.read_text("utf-8", "replace"))
        finally:
            for one in others:
                pool.putconn(one)
            traced.pgconn.untrace()


def _suppress_timestamps() -> Any:
    from psycopg.pq import Trace

    return Trace.SUPPRESS_TIMESTAMPS


def serve(path: str, cookies: str = "") -> tuple[int, bytes]:
    """One GET through the WSGI application, as a server would send it."""
    environ: dict[str, Any] = {"PATH_INFO": path, "wsgi.input": BytesIO()}
    setup_testing_defaults(environ)
    environ |= {"HTTP_HOST": "testserver", "HTTP_COOKIE": cookies}
    status: list[str] = []
    # Not the test client: it keeps the connection that a server gives back.
    response = WSGIHandler()(environ, lambda line, headers: status.append(line))
    try:
        body = b"".join(response)
    finally:
        response.close()
    return int(status[0].split()[0]), body
