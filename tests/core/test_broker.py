"""Sending Celery's messages with one client of Redis."""

from __future__ import annotations

import pytest

from pingvas.celery import app
from pingvas.core.broker import Channel
from pingvas.core.publishing import send_task
from tests.redis import redis_client

QUEUE = "maintenance"


@pytest.fixture
def channel():
    redis_client().delete(QUEUE)
    with app.connection_for_write() as connection:
        yield connection.channel()
    redis_client().delete(QUEUE)


def test_the_application_sends_through_it(channel):
    assert isinstance(channel, Channel)
    send_task("pingvas.nothing", queue=QUEUE, kwargs={})
    assert redis_client().llen(QUEUE) == 1


def test_messages_share_a_client(channel):
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second


def test_it_follows_the_channel_to_a_new_pool(channel):
    with channel.conn_or_acquire() as client:
        before = client.connection_pool
    # As kombu does after a fork.
    channel._disconnect_pools()
    with channel.conn_or_acquire() as client:
        assert client.connection_pool is channel.pool
        assert client.connection_pool is not before
        client.lpush(QUEUE, "still")
    assert redis_client().lrange(QUEUE, 0, -1) == ["still"]


def own_address(client):
    """Where the client's one connection comes from, as the server sees it."""
    connection = client.connection_pool.get_connection()
    host, port = connection._sock.getsockname()
    client.connection_pool.release(connection)
    return f"{host}:{port}"


def test_a_connection_that_redis_closed_is_made_again(channel):
    with channel.conn_or_acquire() as client:
        client.lpush(QUEUE, "one")
        redis_client().client_kill(own_address(client))
        client.lpush(QUEUE, "two")
    assert redis_client().lrange(QUEUE, 0, -1) == ["two", "one"]
