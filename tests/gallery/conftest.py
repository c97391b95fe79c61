"""Two people, and the object stores."""

from __future__ import annotations

import pytest

from tests.cast import make_user
from tests.stores import local_store, s3_endpoint, store, use_s3

__all__ = ["local_store", "s3_endpoint", "store", "use_s3"]


@pytest.fixture
def alice(db):
    return make_user("alice")


@pytest.fixture
def bob(db):
    return make_user("bob")
