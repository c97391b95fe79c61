"""A client of the public API: REST under `/api/v1/`, events over one WebSocket.

Needs httpx and websockets. `/api/schema/` describes every call, `generation/EVENTS.md`
the events.

    with Studio("http://127.0.0.1:8000") as studio:
        studio.sign_up("me@example.com", "a long enough password")
        frames = studio.events()
        next(frames)  # "hello": the socket is open, nothing is missed from here on
        studio.submit({"model": "starter-2", "prompt": "a red heart", "seeds": [7]})
        for frame in frames:
            print(frame["seq"], frame["type"], frame["data"])
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import Any, Self
from uuid import uuid4

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

Json = dict[str, Any]


class Refused(Exception):
    """The API said no: `code` is for programs, the message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.code = code


class Studio:
    """One account at one studio.

    Args:
        url: where the studio is, without a path.
        patience: seconds to wait for an answer, or for the next event.
    """

    def __init__(self, url: str, *, patience: float = 60.0) -> None:
        self.url = url
        self.patience = patience
        self.http = httpx.Client(
            base_url=f"{url}/api/v1/", timeout=patience, follow_redirects=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def sign_up(self, email: str, password: str) -> None:
        """Make an account and sign in to it."""
        account = {"email": email, "password": password}
        self._call("POST", "auth/signup", json=account)
        tokens = self._call("POST", "auth/token", json=account).json()
        # Good for 15 minutes; `auth/token/refresh` trades the other one for the next.
        self.http.headers["Authorization"] = f"Bearer {tokens['access']}"

    def quote(self, spec: Json) -> Json:
        """The price of `spec` before anything is submitted: the ceiling."""
        return self._object("POST", "jobs/quote", json=spec)

    def submit(self, spec: Json) -> list[Json]:
        """Submit one job for each seed of `spec`, all or none."""
        # With a key of its own, a call whose answer got lost may simply be repeated.
        headers = {"Idempotency-Key": str(uuid4())}
        answer = self._object("POST", "jobs", json=spec, headers=headers)
        return list(answer["jobs"])

    def receipt(self, job_id: str) -> Json:
        """What a job took by phase, what was charged and what was given back."""
        return self._object("GET", f"jobs/{job_id}/receipt")

    def picture(self, image_id: str) -> bytes:
        """The full PNG, with its settings inside."""
        return self._call("GET", f"images/{image_id}/download").content

    def credits(self) -> Json:
        """Balance, what is held for live jobs, and what is available."""
        return self._object("GET", "credits")

    def ledger(self) -> list[Json]:
        """Every posting, newest first, page by page."""
        rows: list[Json] = []
        query: dict[str, str] = {}
        while True:
            page = self._object("GET", "credits/transactions", params=query)
            rows += page["results"]
            if page["next"] is None:
                return rows
            query = {"after": page["next"]}

    def events(self) -> Generator[Json, None, None]:
        """Every frame in its order, `hello` first.

        A lost connection is taken up again with the last number seen, so that nothing
        is missed and nothing comes twice. TimeoutError when nothing comes for long.
        """
        since: int | None = None
        while True:
            try:
                for frame in self._frames(since):
                    # A second socket's greeting is news to nobody.
                    if since is None or frame["type"] != "hello":
                        yield frame
                    since = max(since or 0, frame["seq"])
            except ConnectionClosed as end:
                if end.rcvd is not None and end.rcvd.code in (4401, 4403):
                    raise Refused(401, "not_signed_in", end.rcvd.reason) from end

    def _frames(self, since: int | None) -> Iterator[Json]:
        ticket = self._object("POST", "auth/ws-ticket")["ticket"]
        query = f"token={ticket}" + ("" if since is None else f"&since={since}")
        address = f"ws{self.url.removeprefix('http')}/ws/v1/events?{query}"
        with connect(address, open_timeout=self.patience) as socket:
            while True:
                yield json.loads(socket.recv(self.patience))

    def _object(self, method: str, path: str, **options: Any) -> Json:
        answer: Json = self._call(method, path, **options).json()
        return answer

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        response = self.http.request(method, path, **options)
        if response.is_success:
            return response
        try:
            error = response.json()["error"]
            code, message = error["code"], error["message"]
        except (ValueError, KeyError, TypeError):
            # Not the API's own words: a proxy's page, or another server altogether.
            code, message = "unexpected_answer", response.reason_phrase
        raise Refused(response.status_code, code, message)
