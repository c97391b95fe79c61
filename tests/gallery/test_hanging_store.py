"""While the object store hangs, no request keeps a transaction open for it."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from accounts.tokens import issue_tokens
from gallery.api import views
from pingvas.core.storage import stores
from tests.core.storage.hanging import a_hanging_store
from tests.database import admin_connection
from tests.gallery.files import photo, saved
from tests.gallery.pictures import make_image

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = {
    "a thumbnail": ("GET", "/images/{}/thumbnail", 404),
    "a deletion": ("DELETE", "/images/{}", 204),
    "an upload": ("POST", "/uploads", 404),
}
# By its locks: the activity of those who serve people is not kept. Every transaction
# that has asked anything holds its own virtual id.
IN_TRANSACTION = """
    SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE datname = current_database() AND usename = 'app_user'
      AND locktype = 'virtualxid'
"""


@pytest.fixture
def image(alice, use_s3):
    use_s3()
    return make_image(alice)


def ask(user, method, path):
    """Status of the answer, on a connection of its own as in a thread of the web."""
    token = issue_tokens(user=user).access
    client = Client(headers={"Authorization": f"Bearer {token}"})
    try:
        form = encode_multipart(BOUNDARY, {"file": io.BytesIO(saved(photo()))})
        return client.generic(method, path, form, MULTIPART_CONTENT).status_code
    finally:
        connection.close()


def transactions_while_it_hangs(use_s3, user, method, path):
    """How many connections of the web are in a transaction, and the answer at last."""
    with a_hanging_store() as hanging, ThreadPoolExecutor(1) as pool:
        use_s3(S3_ENDPOINT_URL=hanging.url)
        answer = pool.submit(ask, user, method, path)
        assert hanging.asked.wait(20)
        with admin_connection() as admin:
            (count,) = admin.execute(IN_TRANSACTION).fetchone()
        hanging.go_on.set()
        return count, answer.result(20)


@pytest.mark.parametrize(("method", "path", "status"), REQUESTS.values(), ids=REQUESTS)
def test_a_store_that_hangs_leaves_no_connection_in_a_transaction(
    alice, image, use_s3, method, path, status
):
    path = f"/api/v1{path.format(image.id)}"
    seen = transactions_while_it_hangs(use_s3, alice, method, path)
    assert seen == (0, status)


def test_control_a_view_that_does_not_end_its_unit_of_work_would_hold_it(
    alice, image, use_s3, monkeypatch
):
    path = f"/api/v1/images/{image.id}/thumbnail"
    monkeypatch.setattr(views, "end_unit_of_work", lambda: None)
    monkeypatch.setattr(stores, "refuse_open_unit_of_work", lambda: None)
    assert transactions_while_it_hangs(use_s3, alice, "GET", path) == (1, 404)


def test_a_view_that_forgets_to_is_refused_the_store(alice, image, monkeypatch):
    monkeypatch.setattr(views, "end_unit_of_work", lambda: None)
    with pytest.raises(RuntimeError, match="end_unit_of_work"):
        ask(alice, "GET", f"/api/v1/images/{image.id}/thumbnail")
