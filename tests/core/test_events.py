"""Numbering, keeping and reading events; what goes over a socket is tested with it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import OperationalError, close_old_connections, transaction
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from pingvas.core import events
from pingvas.core.db.actor import NOBODY, acting_as
from pingvas.core.events import (
    KEPT_EVENTS,
    Event,
    frame,
    newest_sequence,
    publish,
    publish_on_commit,
    read_events,
    unread_bytes,
)
from pingvas.core.redis import event_counter, event_stream
from pingvas.core.redis_users import USERS
from pingvas.local.redis import EmbeddedRedis
from tests.redis import redis_client
from tests.servers import TESTS

pytestmark = pytest.mark.django_db(transaction=True)
MICROSECONDS_OF_2026 = 1_767_225_600_000_000


@pytest.fixture
def own_redis(tmp_path, monkeypatch):
    """Its administrator: scripts are a whole server's, not one database's."""
    server = EmbeddedRedis(tmp_path / "redis", durable=False, users=(*USERS, TESTS))
    server.start()
    with (
        Redis.from_url(server.url(TESTS), decode_responses=True) as product,
        Redis.from_url(server.admin_url, decode_responses=True) as administrator,
    ):
        monkeypatch.setattr(events, "redis_client", lambda: product)
        yield administrator
    server.stop()


@pytest.fixture
def user_id():
    return uuid4()


def tell(user_id, number=0, **data):
    return publish(Event(user_id, "job.progress", {"number": number, **data}))


def read(user_id, after, limit=2000):
    return read_events(user_id, after=after, limit=limit)


def test_numbers_follow_each_other_and_start_from_the_databases_clock(user_id):
    first = tell(user_id)
    assert MICROSECONDS_OF_2026 < first < 2**53
    assert [tell(user_id), tell(user_id)] == [first + 1, first + 2]
    assert newest_sequence(user_id) == first + 2


def test_an_event_is_kept_as_the_frame_that_goes_over_the_wire(user_id):
    job_id = uuid4()
    sequence = publish(Event(user_id, "job.failed", {"message": "그림"}, job_id))
    [(number, body)] = read(user_id, sequence - 1).entries
    wire = json.loads(frame(number, body))
    assert list(wire) == ["v", "seq", "ts", "type", "job_id", "data"]
    assert (wire["v"], wire["seq"], wire["type"]) == (1, sequence, "job.failed")
    assert (wire["job_id"], wire["data"]) == (str(job_id), {"message": "그림"})


def test_reading_gives_what_comes_after_a_number_in_pages(user_id):
    first, *_ = [tell(user_id, number) for number in range(5)]
    page = read(user_id, first, limit=3)
    assert [number for number, _ in page.entries] == [first + 1, first + 2, first + 3]
    assert (page.newest, page.is_gap) == (first + 4, False)
    assert read(user_id, first + 4).entries == []
    assert not read(user_id, first + 4).is_gap


def test_the_last_thousand_events_are_kept(user_id):
    last = [tell(user_id) for _ in range(KEPT_EVENTS + 5)][-1]
    assert redis_client().xlen(event_stream(user_id)) == KEPT_EVENTS
    assert not read(user_id, last - KEPT_EVENTS).is_gap
    assert read(user_id, last - KEPT_EVENTS - 1).is_gap


def test_numbers_of_many_publishers_are_complete_and_unique(user_id):
    def publish_many(publisher):
        close_old_connections()
        return [tell(user_id, publisher) for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        given = sorted(n for many in pool.map(publish_many, range(8)) for n in many)
    assert given == list(range(given[0], given[0] + 400))
    assert [n for n, _ in read(user_id, given[0] - 1).entries] == given


def test_a_lost_counter_starts_again_ahead_of_every_number_it_gave(user_id):
    before = [tell(user_id) for _ in range(50)][-1]
    redis_client().flushdb()
    after = tell(user_id)
    assert after > before
    assert read(user_id, before).is_gap


def crash_and_restore(client, user_id, given):
    """What a crash of Redis leaves: the state of a second ago, and no scripts."""
    stream = event_stream(user_id)
    kept = client.xrange(stream)[: len(given)]
    client.delete(stream)
    for key, pair in kept:
        client.xadd(stream, pair, id=key)
    client.set(event_counter(user_id), given[-1])
    client.script_flush()


def test_a_counter_that_comes_back_old_gives_no_number_twice(user_id, own_redis):
    given = [tell(user_id) for _ in range(10)]
    crash_and_restore(own_redis, user_id, given[:5])
    after = tell(user_id)
    assert after > given[-1]
    assert read(user_id, given[-1]).is_gap
    # And only once: the next event follows it.
    assert tell(user_id) == after + 1
    assert not read(user_id, after).is_gap


def test_without_the_epoch_an_old_counter_would_give_numbers_twice(
    user_id, monkeypatch, own_redis
):
    given = [tell(user_id) for _ in range(10)]
    crash_and_restore(own_redis, user_id, given[:5])
    monkeypatch.setattr(events, "_database_microseconds", lambda: 1)
    assert tell(user_id) == given[5]


def test_a_lost_buffer_is_a_gap(user_id):
    seen = tell(user_id)
    tell(user_id)
    redis_client().delete(event_stream(user_id))
    assert read(user_id, seen).is_gap


def test_what_an_idle_user_left_goes_away_by_itself(user_id):
    tell(user_id)
    for key in (event_counter(user_id), event_stream(user_id)):
        assert 0 < redis_client().ttl(key) <= 3 * 24 * 3600


def test_unread_bytes_are_counted_up_to_a_limit(user_id):
    first = tell(user_id)
    for _ in range(120):
        tell(user_id, text="x" * 1000)
    everything = unread_bytes(user_id, after=first, up_to=10**9)
    assert 120_000 < everything < 150_000
    assert 50_000 < unread_bytes(user_id, after=first, up_to=50_000) < everything
    assert unread_bytes(user_id, after=first + 120, up_to=10**9) == 0


def test_an_event_is_published_when_its_transaction_commits(user_id):
    start = newest_sequence(user_id)
    with acting_as(NOBODY):
        publish_on_commit(Event(user_id, "job.queued"))
        assert newest_sequence(user_id) == start
    assert newest_sequence(user_id) == start + 1


def test_nothing_is_published_of_a_transaction_that_rolled_back(user_id):
    start = newest_sequence(user_id)
    with acting_as(NOBODY):
        publish_on_commit(Event(user_id, "job.queued"))
        transaction.set_rollback(True)
    assert newest_sequence(user_id) == start


def tell_on_commit(user_id, *numbers):
    for number in numbers:
        publish_on_commit(Event(user_id, "job.progress", {"number": number}))


def numbers_after(user_id, start):
    unread = read(user_id, start)
    assert not unread.is_gap
    return [json.loads(body)["data"]["number"] for _, body in unread.entries]


@pytest.fixture
def flights_to_redis(monkeypatch):
    """How often the publisher spoke to Redis, by kind."""
    spoken = []
    client = redis_client()

    class Listening:
        def evalsha(self, *call):
            spoken.append("one")
            return client.evalsha(*call)

        def pipeline(self, **options):
            spoken.append("many")
            return client.pipeline(**options)

    monkeypatch.setattr(events, "redis_client", Listening)
    return spoken


def test_what_one_transaction_tells_goes_in_order_and_in_one_flight(
    user_id, flights_to_redis
):
    start = newest_sequence(user_id)
    flights_to_redis.clear()
    with acting_as(NOBODY):
        tell_on_commit(user_id, 1, 2, 3)
    assert flights_to_redis == ["many"]
    assert numbers_after(user_id, start) == [1, 2, 3]


def test_a_savepoint_takes_back_what_it_told_and_nothing_else(user_id):
    start = newest_sequence(user_id)
    with acting_as(NOBODY):
        tell_on_commit(user_id, 1)
        with transaction.atomic():
            tell_on_commit(user_id, 2)
            transaction.set_rollback(True)
        tell_on_commit(user_id, 3)
        with transaction.atomic():
            tell_on_commit(user_id, 4)
        tell_on_commit(user_id, 5)
    assert numbers_after(user_id, start) == [1, 3, 4, 5]


@pytest.mark.parametrize("lose", ["flushdb", "script_flush"])
def test_what_one_transaction_tells_survives_a_redis_that_forgot(
    user_id, own_redis, lose
):
    tell(user_id)
    getattr(own_redis, lose)()
    with acting_as(NOBODY):
        tell_on_commit(user_id, 1, 2)
    last = newest_sequence(user_id)
    assert numbers_after(user_id, last - 2) == [1, 2]


def test_an_event_that_is_too_large_spares_those_told_with_it(user_id):
    start = newest_sequence(user_id)
    with acting_as(NOBODY):
        tell_on_commit(user_id, 1)
        large = {"number": "x" * events.LARGEST_EVENT_BYTES}
        publish_on_commit(Event(user_id, "job.progress", large))
        tell_on_commit(user_id, 3)
    assert numbers_after(user_id, start) == [1, 3]


def test_an_event_keeps_the_time_at_which_it_was_made(user_id):
    older = Event(user_id, "credits.changed", {"balance": 1}, milliseconds=1)
    newer = Event(user_id, "credits.changed", {"balance": 2}, milliseconds=2)
    start = publish(newer)
    publish(older)
    times = [json.loads(body)["ts"] for _, body in read(user_id, start - 1).entries]
    assert times == [2, 1]


def test_a_server_that_is_away_does_not_reach_the_publisher(user_id, monkeypatch):
    def redis_away(*args, **kwargs):
        raise RedisAway("away")

    with monkeypatch.context() as outage:
        outage.setattr(events, "_run", redis_away)
        assert tell(user_id) is None

    def database_away():
        raise OperationalError("away")

    monkeypatch.setattr(events, "_database_microseconds", database_away)
    redis_client().delete(event_counter(user_id))
    assert tell(user_id) is None


def test_an_event_that_is_too_large_is_not_published(user_id):
    start = newest_sequence(user_id)
    assert tell(user_id, text="그" * 30_000) is None
    assert newest_sequence(user_id) == start
