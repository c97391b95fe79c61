"""A repository of the Hugging Face hub, or of a server that speaks like it.

The hub's own client drops what it had of a file when it is interrupted; a checkpoint of
30 GB deserves better. So the client says what there is and where, and the bytes are
fetched here: gone on with after a cut, by this call or the next, and compared with the
digest that the hub keeps.

Set apart from whatever imports the engine, which forbids the hub.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import (  # type: ignore[attr-defined] # no __all__
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

from pingvas.core.private_files import make_private_folder, private_opener
from workers.hub_files import choose_files

log = logging.getLogger(__name__)

CHUNK = 4 * 1024 * 1024
READ_SECONDS = 30.0
SECONDS_A_REPORT = 5.0
# Between tries that brought nothing; one that brought bytes begins to count anew.
PAUSES = (1.0, 2.0, 4.0, 8.0)
PART = ".part"


@dataclass(frozen=True)
class HubFile:
    """A file at a fixed commit. `sha256` of large files, the git object's of others."""

    path: str
    size: int
    sha256: str | None
    blob: str | None

    def digest(self) -> Any:
        """A hash object that has not read the file yet."""
        if self.sha256 is not None:
            return hashlib.sha256()
        # How git names a file; the hub has no other digest of a small one.
        return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)

    @property
    def expected(self) -> str | None:
        return self.sha256 or self.blob


def fetch_repository(
    repository: str,
    folder: Path,
    *,
    parts: Sequence[str] | None = None,
    variant: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Bring what a pipeline needs of a repository below `folder`.

    `parts`: only these subfolders. `variant`: weights of this name where there are any.
    `tell` gets lines of progress. Raises OSError when the hub cannot be reached or has
    no such repository, ValueError for one that the engine could not load.
    """
    try:
        info = HfApi().model_info(repository, files_metadata=True)
    except (HfHubHTTPError, httpx2.HTTPError) as error:
        raise OSError(f"the hub does not give it: {error}") from error
    files = {each.rfilename: _hub_file(each) for each in info.siblings or []}
    chosen = choose_files(list(files), parts=parts, variant=variant)
    total = sum(files[path].size for path in chosen)
    target = folder / str(info.sha)
    for number, path in enumerate(chosen, 1):
        place = f"{number}/{len(chosen)} {path}"
        url = hf_hub_url(repository, path, revision=info.sha)
        tell(f"{place}: {files[path].size} bytes")
        _Fetch(files[path], url, target, tell)()
    tell(f"{len(chosen)} files, {total} bytes, commit {info.sha}")
    return target


def _hub_file(sibling: Any) -> HubFile:
    return HubFile(
        path=sibling.rfilename,
        size=sibling.size or 0,
        sha256=None if sibling.lfs is None else sibling.lfs.sha256,
        blob=sibling.blob_id,
    )


class _Fetch:
    """One file on its way to the disk, written aside and renamed once it is whole."""

    def __init__(
        self, file: HubFile, url: str, folder: Path, tell: Callable[[str], None]
    ) -> None:
        self._file = file
        self._url = url
        self._target = folder / file.path
        self._aside = self._target.with_name(self._target.name + PART)
        self._tell = tell
        self._told = time.monotonic()

    def __call__(self) -> None:
        """OSError when the hub stays away, ValueError for other bytes than it means."""
        if self._target.exists():
            return
        make_private_folder(self._target.parent)
        if not self._whole():
            # What was here may be another process's debris: once more from nothing.
            self._aside.unlink(missing_ok=True)
            if not self._whole():
                self._aside.unlink(missing_ok=True)
                raise ValueError(f"{self._file.path} has another checksum than the hub")
        self._aside.replace(self._target)

    def _whole(self) -> bool:
        """Bring what is missing; whether all of it is what the hub says."""
        digest = self._file.digest()
        with open(self._aside, "a+b", opener=private_opener) as sink:
            sink.seek(0)
            while chunk := sink.read(CHUNK):
                digest.update(chunk)
            self._bring(sink, digest)
        return self._file.expected in (None, digest.hexdigest())

    def _bring(self, sink: BinaryIO, digest: Any) -> None:
        failures = 0
        while sink.tell() < self._file.size:
            before = sink.tell()
            try:
                self._stream(sink, digest)
            except (httpx2.HTTPError, HfHubHTTPError) as error:
                failures = 0 if sink.tell() > before else failures + 1
                if failures > len(PAUSES) or _is_final(error):
                    raise OSError(
                        f"{self._file.path} stopped at {sink.tell()} of "
                        f"{self._file.size} bytes ({error}); the same command goes on"
                    ) from error
                self._tell(f"  interrupted at {sink.tell()} bytes, trying again")
                time.sleep(PAUSES[max(0, failures - 1)])

    def _stream(self, sink: BinaryIO, digest: Any) -> None:
        start = sink.tell()
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        session = get_session()
        with session.stream(
            "GET", self._url, headers=headers, timeout=READ_SECONDS
        ) as response:
            hf_raise_for_status(response)
            # A server that ignores the range sends all of it: skip what we have.
            skip = start if response.status_code == httpx2.codes.OK else 0
            for chunk in response.iter_raw():
                fresh = chunk[skip:]
                skip = max(0, skip - len(chunk))
                sink.write(fresh)
                digest.update(fresh)
                self._report(sink.tell())

    def _report(self, done: int) -> None:
        if time.monotonic() - self._told >= SECONDS_A_REPORT:
            self._told = time.monotonic()
            self._tell(f"  {done} of {self._file.size} bytes")


def _is_final(error: Exception) -> bool:
    """Whether the hub said no, rather than nothing."""
    response = getattr(error, "response", None)
    status = 0 if response is None else response.status_code
    return 400 <= status < 500 and status != httpx2.codes.TOO_MANY_REQUESTS
