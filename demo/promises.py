"""What the studio promises, checked from outside: each failure is one clear line."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

Json = dict[str, Any]
USAGE = "generation_usage"


class BrokenPromise(Exception):
    """Something is not as it was promised; said in both languages."""

    def __init__(self, english: str, korean: str) -> None:
        super().__init__(english)
        self.english = english
        self.korean = korean


@dataclass(frozen=True)
class Picture:
    """A finished job with its file."""

    job: Json
    receipt: Json
    png: bytes

    @property
    def caption(self) -> str:
        """The prompt and the seed as the file itself has them."""
        settings = read_settings(self.png)
        return f"{settings['prompt']}\nseed {settings['seed']}"


class InOrder:
    """Watches that frames come numbered one by one."""

    def __init__(self, first: int) -> None:
        self._last = first

    def check(self, frame: Json) -> None:
        """Raise BrokenPromise unless `frame` is the one after the last."""
        if frame["seq"] != self._last + 1:
            raise BrokenPromise(
                f"Event {frame['seq']} came after event {self._last}.",
                f"이벤트 {self._last} 다음에 {frame['seq']}이(가) 왔습니다.",
            )
        self._last = frame["seq"]


def check_completed(frame: Json) -> None:
    """Raise BrokenPromise for a job that ended without a picture."""
    if frame["type"] != "job.completed":
        why = frame["data"].get("message", "")
        raise BrokenPromise(
            f"A job ended as {frame['type']} {why}".strip() + ".",
            f"작업이 {frame['type']}(으)로 끝났습니다. {why}".strip(),
        )


def check_picture(picture: Picture, spec: Json) -> None:
    """Raise BrokenPromise unless the file is what was asked for, and says so."""
    with Image.open(io.BytesIO(picture.png)) as image:
        image.load()
        found = (image.format, image.width, image.height)
    wanted = ("PNG", spec["width"], spec["height"])
    _same("the file", "파일", found, wanted)
    settings = read_settings(picture.png)
    for name in ("prompt", "model", "width", "height", "steps"):
        _same(f"{name} in the file", f"파일의 {name}", settings[name], spec[name])
    seed = picture.job["resolved_seed"]
    _same("the seed in the file", "파일의 시드", settings["seed"], seed)


def check_charges(pictures: Sequence[Picture], quote: Json) -> None:
    """Raise BrokenPromise for a charge above the quote, or a receipt that is off."""
    for picture in pictures:
        receipt = picture.receipt
        if not 1 <= receipt["charged"] <= quote["credits"]:
            raise BrokenPromise(
                f"A picture cost {receipt['charged']} credits; the quote was "
                f"{quote['credits']}.",
                f"그림 하나에 {receipt['charged']} 크레딧이 청구되었습니다. 견적은 "
                f"{quote['credits']}이었습니다.",
            )
        back = receipt["held"] - receipt["charged"]
        _same("what was given back", "돌려준 크레딧", receipt["released"], back)


def check_books(
    credits: Json, ledger: Sequence[Json], pictures: Sequence[Picture]
) -> None:
    """Raise BrokenPromise unless balance, ledger and receipts tell the same story."""
    total = sum(row["amount"] for row in ledger)
    _same("the balance", "잔액", credits["balance"], total)
    newest = max(ledger, key=lambda row: int(row["sequence"]))
    _same(
        "the last posting's balance",
        "마지막 거래의 잔액",
        newest["balance_after"],
        credits["balance"],
    )
    _same("credits still held", "아직 예약된 크레딧", credits["held"], 0)
    booked = {row["job_id"]: -row["amount"] for row in ledger if row["type"] == USAGE}
    charged = {one.job["id"]: one.receipt["charged"] for one in pictures}
    _same("what was booked for the jobs", "작업별 거래", booked, charged)


def read_settings(png: bytes) -> Json:
    """The settings inside a picture file.

    Raises:
        BrokenPromise: it has none.
    """
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        text = image.info.get("pingvas_metadata")
    if not isinstance(text, str) or "parameters" not in image.info:
        raise BrokenPromise(
            "A picture's file does not hold its settings.",
            "그림 파일에 설정이 들어 있지 않습니다.",
        )
    settings: Json = json.loads(text)
    return settings


def _same(what: str, korean: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise BrokenPromise(
            f"Not as promised: {what} is {found}, not {wanted}.",
            f"약속과 다릅니다: {korean}이(가) {wanted}이(가) 아니라 {found}입니다.",
        )
