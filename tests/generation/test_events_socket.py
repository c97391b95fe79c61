from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from redis.exceptions import ConnectionError as RedisAway

from accounts.models import TokenFamily, User
from accounts.tokens import (
    issue_tokens,
    issue_ws_ticket,
    read_access_token,
    sign_out,
    sign_out_everywhere,
)
from billing.services.grants import adjust_credits, read_balance
from generation import consumers, seats, watch
from generation.admission import is_own_origin
from generation.seats import leave_seat, take_seat
from generation.services.lifecycle import cancel_job
from pingvas.core.db.actor import IDENTITY, SERVICE, acting_as, user_actor
from pingvas.core.db.functions import Now
from pingvas.core.events import KEPT_EVENTS, Event, publish
from pingvas.core.redis import (
    api_rate,
    event_counter,
    user_online,
    user_sockets,
    ws_ticket,
)
from pingvas.core.sessions import SessionStore
from tests.cast import make_user
from tests.generation.event_socket import (
    Socket,
    in_thread,
    open_socket,
    refusal,
    session_of,
)
from tests.generation.test_job_life import model, submit
from tests.redis import redis_client

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["model"]


@pytest.fixture
def alice():
    user = make_user("alice")
    with acting_as(user_actor(user.id)):
        # The free month is granted now, not in the middle of a test.
        read_balance(user_id=user.id)
    return user


@pytest.fixture
def bob():
    return make_user("bob")


def tell(user, step):
    return publish(Event(user.id, "job.progress", {"step": step}))


def steps(frames):
    return [frame["data"]["step"] for frame in frames]


async def test_the_first_frame_is_hello_with_the_newest_number(alice):
    newest = await in_thread(tell, alice, 1)
    async with open_socket(alice) as client:
        hello = client.hello
        assert (hello["v"], hello["type"], hello["job_id"]) == (1, "hello", None)
        assert hello["seq"] == hello["data"]["last_seq"] == newest
        assert "replay" in hello["data"]["features"]
        assert await client.is_silent()


async def test_live_events_come_in_order_with_consecutive_numbers(alice):
    async with open_socket(alice) as client:
        for step in range(120):
            await in_thread(tell, alice, step)
        frames = await client.frames(120)
    first = client.hello["seq"] + 1
    assert steps(frames) == list(range(120))
    assert [f["seq"] for f in frames] == list(range(first, first + 120))


async def test_an_event_arrives_although_its_push_was_lost(alice, monkeypatch):
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(
        "pingvas.core.events._nudge", lambda user_id: ("asgi.no", b"body")
    )
    async with open_socket(alice) as client:
        await in_thread(tell, alice, 1)
        assert steps(await client.frames(1)) == [1]


async def test_exactly_what_was_missed_is_replayed(alice):
    async with open_socket(alice) as client:
        await in_thread(tell, alice, 0)
        seen = (await client.frame())["seq"]
    for step in range(1, 131):
        await in_thread(tell, alice, step)
    async with open_socket(alice, f"?since={seen}") as client:
        assert (client.hello["seq"], client.hello["data"]["last_seq"]) == (
            seen,
            seen + 130,
        )
        assert steps(await client.frames(130)) == list(range(1, 131))
        await in_thread(tell, alice, 131)
        assert steps(await client.frames(1)) == [131]
        assert await client.is_silent()


async def test_nothing_is_replayed_to_a_client_that_missed_nothing(alice):
    newest = await in_thread(tell, alice, 1)
    async with open_socket(alice, f"?since={newest}") as client:
        assert await client.is_silent()


@pytest.mark.parametrize("since", ["0", "", "yesterday", "-1", "9" * 18, "9" * 40])
async def test_a_number_that_was_never_given_brings_a_snapshot(alice, since):
    newest = await in_thread(tell, alice, 1)
    async with open_socket(alice, f"?since={since}") as client:
        frame = await client.frame()
        assert client.hello["seq"] == 0
        assert (frame["type"], frame["seq"]) == ("resync", newest)
        assert await client.is_silent()


async def test_a_number_that_left_the_buffer_brings_a_snapshot(alice):
    def fill():
        first = tell(alice, 0)
        for step in range(KEPT_EVENTS + 1):
            tell(alice, step)
        return first

    first = await in_thread(fill)
    async with open_socket(alice, f"?since={first}") as client:
        assert (await client.frame())["type"] == "resync"
    async with open_socket(alice, f"?since={first + 1}") as client:
        assert steps(await client.frames(KEPT_EVENTS)) == list(
            range(1, KEPT_EVENTS + 1)
        )


async def test_the_snapshot_shows_live_jobs_and_credits(alice, bob):
    def prepare():
        with acting_as(SERVICE):
            adjust_credits(user_id=alice.id, amount=40, reason="test", staff_id=uuid4())
        submit(bob)
        [gone] = submit(alice)
        with acting_as(user_actor(alice.id)):
            cancel_job(user_id=alice.id, job_id=gone.id)
        return submit(alice)[0]

    job = await in_thread(prepare)
    async with open_socket(alice, "?since=0") as client:
        data = (await client.frame())["data"]
    assert data["jobs"] == [
        {
            "id": str(job.id),
            "status": "queued",
            "submission_id": str(job.batch_id),
            "batch_id": str(job.batch_id),
            "attempt": 0,
            "progress": None,
        }
    ]
    held = job.quoted_credits
    assert data["credits"] == {"balance": 340, "held": held, "available": 340 - held}
    assert data["more"] is False


async def test_two_people_never_see_each_others_events(alice, bob):
    async with open_socket(alice) as hers, open_socket(bob) as his:
        await in_thread(tell, alice, 1)
        await in_thread(tell, bob, 2)
        assert steps(await hers.frames(1)) == [1]
        assert steps(await his.frames(1)) == [2]
        assert await hers.is_silent()
        assert await his.is_silent()


async def test_every_socket_of_a_user_gets_every_event(alice):
    async with open_socket(alice) as one, open_socket(alice) as other:
        await in_thread(tell, alice, 1)
        assert steps(await one.frames(1)) == steps(await other.frames(1)) == [1]


async def test_an_open_socket_is_resynced_when_redis_lost_everything(
    alice, monkeypatch
):
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.1)
    async with open_socket(alice) as client:
        await in_thread(tell, alice, 1)
        before = (await client.frame())["seq"]
        await in_thread(redis_client().flushdb)
        resync = await client.frame()
        assert resync["type"] == "resync"
        assert resync["seq"] > before
        after = await in_thread(tell, alice, 2)
        frame = await client.frame()
        assert (frame["seq"], frame["data"]["step"]) == (after, 2)
        assert after > before
    async with open_socket(alice, f"?since={before}") as client:
        assert (await client.frame())["type"] == "resync"


async def test_a_socket_outlives_a_redis_that_is_away(alice, monkeypatch):
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)

    def fail(*args, **kwargs):
        raise RedisAway("away")

    async with open_socket(alice) as client:
        with monkeypatch.context() as outage:
            outage.setattr(consumers, "read_events", fail)
            await in_thread(tell, alice, 1)
            assert await client.is_silent()
        assert steps(await client.frames(1)) == [1]


async def test_a_socket_is_told_to_come_later_while_redis_is_away(alice, monkeypatch):
    def fail(*args, **kwargs):
        raise RedisAway("away")

    monkeypatch.setattr(consumers, "take_seat", fail)
    cookie = await in_thread(session_of, alice)
    assert await refusal(cookie=cookie) == 1013


async def test_a_ticket_opens_one_socket_from_anywhere(alice):
    ticket = await in_thread(issue_ws_ticket, user_id=alice.id)
    async with open_socket(query=f"?token={ticket}", origin="") as client:
        await in_thread(tell, alice, 1)
        assert steps(await client.frames(1)) == [1]
    assert await refusal(f"?token={ticket}", origin="") == 4401


async def test_a_ticket_that_nobody_made_or_that_expired_is_refused(alice):
    assert await refusal("?token=made-up", origin="") == 4401
    ticket = await in_thread(issue_ws_ticket, user_id=alice.id)
    assert 0 < redis_client().ttl(ws_ticket(ticket)) <= 60
    await in_thread(redis_client().delete, ws_ticket(ticket))
    assert await refusal(f"?token={ticket}", origin="") == 4401


async def test_a_ticket_of_a_closed_account_is_refused(alice):
    ticket = await in_thread(issue_ws_ticket, user_id=alice.id)
    await in_thread(change, alice, is_active=False)
    assert await refusal(f"?token={ticket}", origin="") == 4401


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://evil.example",
        "http://testserver.evil.example",
        "http://testserver:8080",
        "http://localhost",
        "file://testserver",
    ],
)
async def test_a_cookie_counts_on_our_own_pages_alone(alice, origin):
    cookie = await in_thread(session_of, alice)
    assert await refusal(cookie=cookie, origin=origin) == 4403


def test_allowing_every_host_does_not_allow_every_origin(settings):
    settings.ALLOWED_HOSTS = ["*"]
    assert is_own_origin("http://a.example:8000", "a.example:8000")
    assert not is_own_origin("http://evil.example", "a.example:8000")
    assert not is_own_origin("http://a.example:8001", "a.example:8000")


def test_a_host_that_is_not_ours_is_no_ground_to_trust_its_pages(settings):
    settings.ALLOWED_HOSTS = ["studio.example"]
    assert is_own_origin("https://studio.example", "studio.example")
    assert not is_own_origin("https://evil.example", "evil.example")


def test_trusted_origins_may_have_subdomains(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example", "https://*.pages.example"]
    assert is_own_origin("https://app.example", "testserver")
    assert is_own_origin("https://one.pages.example", "testserver")
    assert not is_own_origin("http://app.example", "testserver")
    assert not is_own_origin("https://pages.example.evil", "testserver")


def test_where_cookies_need_tls_pages_without_it_are_foreign(settings):
    settings.SESSION_COOKIE_SECURE = True
    assert is_own_origin("https://testserver", "testserver")
    assert not is_own_origin("http://testserver", "testserver")


async def test_a_cookie_of_nobody_is_refused(alice):
    assert await refusal() == 4401
    for key in ("made-up", '"\\000aaaaaaaaaaaa"', "a" * 32):
        assert await refusal(cookie=f"sessionid={key}") == 4401


async def test_a_session_from_before_a_new_password_is_refused(alice):
    cookie = await in_thread(session_of, alice)
    await in_thread(renew_password, alice)
    assert await refusal(cookie=cookie) == 4401


def change(user, **columns):
    with acting_as(IDENTITY):
        User.objects.filter(pk=user.pk).update(**columns)


NO_KEYS = [r'"\000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"', "a" * 31, "A" * 32, "é" * 32]


@pytest.mark.parametrize("value", NO_KEYS)
async def test_a_cookie_that_is_no_key_is_told_to_sign_in(value):
    assert await refusal(cookie=f"{settings.SESSION_COOKIE_NAME}={value}") == 4401


async def test_deactivating_a_user_closes_open_sockets(alice, monkeypatch):
    monkeypatch.setattr(watch, "GUARD_SECONDS", 0.1)
    async with open_socket(alice) as client:
        assert await client.is_silent()
        await in_thread(change, alice, is_active=False)
        assert await client.closing_code() == 4401


def renew_password(user):
    with acting_as(IDENTITY):
        user.set_password("another long password")
        user.save(update_fields=["password"])


def sign_out_everywhere_of(user):
    sign_out_everywhere(user=user)


@pytest.mark.parametrize("end_all", [renew_password, sign_out_everywhere_of])
async def test_what_ends_every_session_closes_every_socket(alice, monkeypatch, end_all):
    monkeypatch.setattr(watch, "GUARD_SECONDS", 0.1)
    ticket = await in_thread(issue_ws_ticket, user_id=alice.id)
    async with (
        open_socket(query=f"?token={ticket}", origin="") as program,
        open_socket(alice) as browser,
    ):
        await in_thread(end_all, alice)
        assert await program.closing_code() == 4401
        assert await browser.closing_code() == 4401


async def test_signing_out_closes_the_sockets_of_that_session(alice, monkeypatch):
    monkeypatch.setattr(watch, "GUARD_SECONDS", 0.1)
    async with open_socket(alice) as client:
        cookies = dict(client.scope["headers"])[b"cookie"].decode()
        key = cookies.partition("=")[2]
        await in_thread(SessionStore(key).flush)
        assert await client.closing_code() == 4401


async def sign_out_of(client):
    """As the page does it, by the session of the socket's cookie."""
    cookies = dict(client.scope["headers"])[b"cookie"].decode()
    browser = Client(headers={"cookie": cookies})
    answer = await in_thread(browser.post, "/sign-out")
    assert answer.status_code == 302


async def test_signing_out_closes_the_sockets_of_that_session_at_once(
    alice, monkeypatch
):
    monkeypatch.setattr(watch, "GUARD_SECONDS", 1000)
    async with open_socket(alice) as here, open_socket(alice) as elsewhere:
        await sign_out_of(here)
        assert await here.closing_code() == 4401
        assert await elsewhere.is_silent()


async def test_a_program_that_signs_out_closes_its_sockets_at_once(alice, monkeypatch):
    monkeypatch.setattr(watch, "GUARD_SECONDS", 1000)

    def sign_in():
        token = read_access_token(issue_tokens(user=alice).access)
        return token, issue_ws_ticket(user_id=alice.id, token=token)

    def end(token):
        with acting_as(user_actor(alice.id)):
            sign_out(user=alice, token=token)

    token, ticket = await in_thread(sign_in)
    _, other = await in_thread(sign_in)
    async with (
        open_socket(query=f"?token={ticket}", origin="") as ended,
        open_socket(query=f"?token={other}", origin="") as living,
    ):
        await in_thread(end, token)
        assert await ended.closing_code() == 4401
        assert await living.is_silent()


async def test_a_family_that_ends_unpushed_is_noticed_too(alice, monkeypatch):
    monkeypatch.setattr(watch, "GUARD_SECONDS", 0.1)

    def sign_in():
        token = read_access_token(issue_tokens(user=alice).access)
        return issue_ws_ticket(user_id=alice.id, token=token)

    def end_families():
        with acting_as(SERVICE):
            TokenFamily.objects.filter(user=alice).update(ended_at=Now())

    ticket = await in_thread(sign_in)
    async with open_socket(query=f"?token={ticket}", origin="") as client:
        assert await client.is_silent()
        await in_thread(end_families)
        assert await client.closing_code() == 4401


def test_the_end_of_a_session_is_noticed_within_five_seconds():
    assert watch.GUARD_SECONDS < 5


async def test_idle_sockets_are_looked_after_together(alice, bob, monkeypatch):
    monkeypatch.setattr(watch, "GUARD_SECONDS", 0.1)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.1)
    asked = []

    def noting(name):
        plain = getattr(watch, name)

        def note(whom):
            asked.append((name, len(whom)))
            return plain(whom)

        return note

    for name in ("newest_sequences", "doubtful"):
        monkeypatch.setattr(watch, name, noting(name))
    for name in ("read_events", "stays_welcome"):
        monkeypatch.setattr(consumers, name, lambda *_, **__: pytest.fail("alone"))
    monkeypatch.setattr(consumers.EventsSocket, "_send_page", nothing_new)
    async with open_socket(alice), open_socket(alice), open_socket(bob) as client:
        await client.is_silent()
    assert set(asked) >= {("newest_sequences", 2), ("doubtful", 3)}


async def nothing_new(socket):
    return False


async def test_a_user_has_so_many_sockets_in_all_processes(alice, bob, settings):
    settings.SOCKETS_PER_USER = 2
    elsewhere = (alice.id, "another process")
    assert await in_thread(take_seat, elsewhere)
    cookie = await in_thread(session_of, alice)
    async with open_socket(alice), open_socket(bob):
        assert await refusal(cookie=cookie) == 4429
    await in_thread(leave_seat, elsewhere)
    async with open_socket(alice), open_socket(alice):
        assert await refusal(cookie=cookie) == 4429
    assert redis_client().zcard(user_sockets(alice.id)) == 0


async def test_sockets_of_a_process_that_died_count_no_more(alice, settings):
    settings.SOCKETS_PER_USER = 1
    redis_client().zadd(user_sockets(alice.id), {"long ago": time.time() - 1})
    async with open_socket(alice):
        pass


async def test_opening_sockets_is_counted_with_the_requests_of_an_address(
    alice, settings
):
    settings.API_REQUESTS_PER_MINUTE = 2
    redis_client().delete(api_rate("unknown"))
    codes = [await refusal("?token=guess", origin="") for _ in range(3)]
    assert codes == [4401, 4401, 4429]


async def test_an_open_socket_keeps_its_user_online(alice, monkeypatch):
    monkeypatch.setattr(seats, "SEAT_SECONDS", 0.1)
    key = user_online(alice.id)
    async with open_socket(alice) as client:
        assert 290 < redis_client().ttl(key) <= 300
        await in_thread(redis_client().expire, key, 10)
        assert await client.is_silent()
        assert redis_client().ttl(key) > 290
        assert redis_client().ttl(user_sockets(alice.id)) > 60


async def test_a_ping_is_answered_and_anything_else_ends_the_socket(alice):
    for frame, code in [
        ("subscribe", 1003),
        (json.dumps({"type": "subscribe"}), 1003),
        ("[" * 900, 1003),
        ("[" * 1000, 1003),
        ('{"a":' * 200, 1003),
        ("x" * 5000, 1009),
    ]:
        async with open_socket(alice) as client:
            await client.say(text='{"type": "ping"}')
            assert await client.frame() == {"v": 1, "type": "pong"}
            await client.say(text=frame)
            assert await client.closing_code() == code
    async with open_socket(alice) as client:
        await client.say(bytes=b"\x00")
        assert await client.closing_code() == 1003


async def test_an_unknown_path_is_refused_quietly(alice, caplog):
    socket = Socket(path="/ws/v1/everything")
    assert await socket.connect() == {"type": "websocket.close"}
    await socket.wait(5)
    assert [record.name for record in caplog.records] == ["pingvas.access"]


async def test_a_new_user_can_say_what_they_saw_last(alice):
    async with open_socket(alice) as client:
        seen = client.hello["seq"]
    await in_thread(tell, alice, 1)
    async with open_socket(alice, f"?since={seen}") as client:
        assert steps(await client.frames(1)) == [1]


async def test_a_closed_socket_leaves_no_subscription(alice):
    async with open_socket(alice):
        pass
    channel = f"asgi__group__user.{alice.id}"
    assert redis_client().pubsub_numsub(channel) == [(channel, 0)]
    assert redis_client().exists(event_counter(alice.id))
