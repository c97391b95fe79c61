"""Objects in the private bucket of an S3-compatible store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from pingvas.core.storage.base import (
    BYTES,
    CHUNK,
    PAGE,
    ObjectMissing,
    StorageUnavailable,
    StoredObject,
    UploadLink,
    content_type_of,
)

ABSENT = {"404", "NoSuchKey", "NotFound"}
PAST_THE_END = {"416", "InvalidRange"}
# How botocore's parameters travel.
_HEADERS = {
    "ContentType": "Content-Type",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
}


class S3Store:
    """An object store over `storage`'s connection, bucket and encryption.

    django-storages reads an object whole into memory and asks before each write
    whether the key is free; checkpoints are too large for the one, and our keys name
    their content, so that the other only costs a request.
    """

    def __init__(self, storage: S3Storage) -> None:
        self._storage = storage
        self._bucket = storage.bucket_name
        self._encryption = dict(storage.object_parameters)

    @property
    def _client(self) -> Any:
        # One for each thread: django-storages keeps them apart.
        return self._storage.connection.meta.client

    def put(self, key: str, content: bytes, *, content_type: str) -> None:
        with _translated():
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                **self._encryption,
            )

    def put_file(self, key: str, path: Path, *, content_type: str = BYTES) -> None:
        extra = {"ContentType": content_type, **self._encryption}
        with path.open("rb") as file, _translated():
            self._client.upload_fileobj(file, self._bucket, key, ExtraArgs=extra)

    def size(self, key: str) -> int | None:
        try:
            with _translated():
                answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except ObjectMissing:
            return None
        return int(answer["ContentLength"])

    def read(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        where = {"Range": f"bytes={start}-"} if start else {}
        with _translated():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key, **where)
            except ClientError as error:
                if error.response["Error"]["Code"] in PAST_THE_END:
                    return
                raise
            with closing(answer["Body"]) as body:
                yield from body.iter_chunks(CHUNK)

    def pages(self, prefix: str) -> Iterator[list[StoredObject]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=f"{prefix}/",
            PaginationConfig={"PageSize": PAGE},
        )
        with _translated():
            for page in pages:
                yield [
                    StoredObject(entry["Key"], entry["Size"], entry["LastModified"])
                    for entry in page.get("Contents", ())
                ]

    def delete(self, keys: Sequence[str]) -> None:
        for begin in range(0, len(keys), PAGE):
            which = [{"Key": key} for key in keys[begin : begin + PAGE]]
            with _translated():
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": which, "Quiet": True}
                )
            if answer.get("Errors"):
                raise StorageUnavailable

    def download_link(self, key: str, *, file_name: str, seconds: int) -> str:
        headers = {
            "ResponseContentDisposition": f'attachment; filename="{file_name}"',
            "ResponseContentType": content_type_of(file_name),
        }
        with _translated():
            return str(self._storage.url(key, parameters=headers, expire=seconds))

    def presign_upload(
        self, key: str, *, content_type: str, size: int, seconds: int
    ) -> UploadLink:
        asked = {"ContentType": content_type, **self._encryption}
        # Every header that is signed has to be sent as it is: the length too.
        with _translated():
            url = self._client.generate_presigned_url(
                "put_object",
                Params={
                    **asked,
                    "Bucket": self._bucket,
                    "Key": key,
                    "ContentLength": size,
                },
                ExpiresIn=seconds,
            )
        headers = {_HEADERS[name]: value for name, value in asked.items()}
        return UploadLink(url=str(url), headers=headers)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            raise ObjectMissing from error
        raise StorageUnavailable from error
    except BotoCoreError as error:
        raise StorageUnavailable from error
