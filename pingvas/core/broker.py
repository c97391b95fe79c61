"""Celery's Redis transport, with one Redis client for a channel's messages."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """Sends with a client that it keeps; kombu makes one for each message.

    Making it takes as long as all the rest of sending.
    """

    _sender: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]  # untyped in the stubs
        # kombu gives its pool up after a fork and when it reconnects.
        if self._sender is None or self._sender.connection_pool is not self.pool:
            self._sender = super()._create_client()  # type: ignore[misc]  # untyped in the stubs
        return self._sender


class Transport(redis.Transport):
    Channel = Channel
