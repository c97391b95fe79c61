"""What a person reads about their credits: what was paid for, and where it is."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from billing.models import TransactionType
from billing.services.grants import adjust_credits
from billing.services.ledger import lock_balance, post
from gallery.models import Image
from gallery.services import delete_image, record_image
from pingvas.core.db.actor import SERVICE, acting_as
from tests.billing.factories import grant, make_job
from tests.cast import make_user
from tests.gallery.pictures import encoded, store_picture

pytestmark = pytest.mark.django_db
ROW = re.compile(r'<tr id="posting-.*?</tr>', re.S)


@pytest.fixture
def alice():
    return make_user("alice")


@pytest.fixture
def page(client, alice):
    """`page("?before=3")`: the rows as the page shows them, newest first."""
    client.force_login(alice)

    def rows(query="", **headers):
        answer = client.get(f"/credits{query}", headers=headers)
        assert answer.status_code == 200
        return ROW.findall(answer.content.decode())

    return rows


def charge(user, job_id, amount=3):
    with acting_as(SERVICE):
        return post(
            lock_balance(user.id),
            type=TransactionType.GENERATION_USAGE,
            amount=-amount,
            idempotency_key=f"settle:{job_id}",
            job_id=job_id,
        )


def picture_of(user, job):
    """The picture of a job, recorded as this user's."""
    picture = store_picture(encoded(), user_id=user.id, source_id=job.id)
    with acting_as(SERVICE):
        return record_image(job_id=job.id, user_id=user.id, picture=picture)


def test_a_charge_leads_to_its_picture_and_says_what_was_made(page, alice):
    grant(alice.id, 100, "a")
    image = picture_of(alice, make_job(alice.id, "completed"))
    charge(alice, image.job_id)
    row = page()[0]
    assert f'<a class="made" href="/gallery/{image.id}">a lighthouse</a>' in row
    assert "−3" in row


def test_a_deleted_picture_leaves_its_words_and_no_link(page, alice):
    image = picture_of(alice, make_job(alice.id, "completed"))
    grant(alice.id, 100, "a")
    charge(alice, image.job_id)
    with acting_as(SERVICE):
        delete_image(user_id=alice.id, image_id=image.id)
    row = page()[0]
    assert "a lighthouse" in row
    assert "Picture deleted since" in row
    assert "<a " not in row


def test_a_stopped_picture_was_never_there(page, alice):
    grant(alice.id, 100, "a")
    charge(alice, make_job(alice.id, "cancelled").id)
    row = page()[0]
    assert "a lighthouse" in row
    assert "Stopped half-way" in row
    assert "<a " not in row


def test_a_picture_that_became_somebody_elses_is_no_link(page, alice):
    grant(alice.id, 100, "a")
    job = make_job(alice.id, "completed")
    charge(alice, job.id)
    image = picture_of(alice, job)
    with acting_as(SERVICE):
        # Row-level security shows public pictures to everybody.
        moved = Image.objects.filter(pk=image.pk)
        moved.update(user=make_user("bob"), job=None, is_public=True)
    assert "<a " not in page()[0]


def test_numbers_are_written_as_people_write_them(page, client, alice):
    grant(alice.id, 12_345, "a")
    row = page()[0]
    assert "+12,345" in row
    # With the free month's 300, which came first.
    assert "12,645</td>" in row
    text = client.get("/credits").content.decode()
    assert '<dd data-figure="balance">12,645</dd>' in text
    assert '<dd data-figure="available">12,645</dd>' in text


def test_every_moment_can_be_read_by_a_script_and_says_its_zone_without(page, alice):
    grant(alice.id, 5, "a")
    row = page()[0]
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT[\d:.]+\+00:00">', row)
    assert "<span data-utc>UTC</span>" in row


def test_the_note_of_the_staff_is_shown_and_their_reason_is_not(page, alice):
    with acting_as(SERVICE):
        adjust_credits(
            user_id=alice.id,
            amount=5,
            reason="a secret",
            public_note="Sorry for the <wait>",
            staff_id=uuid4(),
        )
    row = page()[0]
    assert "Adjusted by our staff" in row
    assert "Sorry for the &lt;wait&gt;" in row
    assert "secret" not in row


def test_a_long_prompt_is_cut(page, alice):
    grant(alice.id, 100, "a")
    charge(alice, make_job(alice.id, "completed", prompt="ㅁ" * 4000).id)
    assert page()[0].count("ㅁ") == 160


def test_older_postings_follow_by_number(page, alice):
    for number in range(33):
        grant(alice.id, 1, f"g{number}")
    first = page()
    assert len(first) == 30
    last = int(re.search(r"posting-(\d+)", first[-1]).group(1))
    rest = page(f"?before={last}")
    assert [re.search(r"posting-(\d+)", row).group(1) for row in rest] == [
        str(number) for number in range(last - 1, 0, -1)
    ]
    assert page("?before=nonsense") == first
