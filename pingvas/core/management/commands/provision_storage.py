from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand
from storages.backends.s3 import S3Storage


class Command(BaseCommand):
    """Make the bucket that S3_BUCKET names; may be run again."""

    help = "Makes the private bucket of STORAGE_BACKEND=s3; local files need nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        if not isinstance(default_storage, S3Storage):
            self.stdout.write("storage is local: nothing to make")
            return
        name = default_storage.bucket_name
        made = "made" if make_bucket(default_storage) else "is there"
        self.stdout.write(f"bucket {name} {made}")


def make_bucket(storage: S3Storage) -> bool:
    """False when the bucket is there already, and ours."""
    client = storage.connection.meta.client
    try:
        client.head_bucket(Bucket=storage.bucket_name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    else:
        return False
    # The oldest region is the one that must not be named.
    region = storage.region_name
    where = {} if region == "us-east-1" else {"LocationConstraint": region}
    extra = {"CreateBucketConfiguration": where} if where else {}
    client.create_bucket(Bucket=storage.bucket_name, **extra)
    return True
