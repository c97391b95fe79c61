"""The object stores, each empty."""

from __future__ import annotations

from tests.stores import local_store, s3_endpoint, store, use_s3

__all__ = ["local_store", "s3_endpoint", "store", "use_s3"]
