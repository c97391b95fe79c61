"""`python -m demo`: sign up, quote, submit four, watch, save, and check the books."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import WebSocketException

from demo.client import Refused, Studio
from demo.promises import (
    BrokenPromise,
    InOrder,
    Picture,
    check_books,
    check_charges,
    check_completed,
    check_picture,
)
from demo.report import ProgressBar, print_ledger, print_receipts
from demo.sheet import save_sheet
from pingvas.local.console import complain, say
from pingvas.local.errors import LocalError
from pingvas.local.home import open_home
from pingvas.local.programs import STARTER_MODEL
from pingvas.local.visit import running_studio

Json = dict[str, Any]
ENDINGS = ("job.completed", "job.failed", "job.cancelled")
LONGEST = 170.0
SPEC: Json = {
    "model": STARTER_MODEL,
    "prompt": "a red heart on a white background",
    "width": 128,
    "height": 128,
    "steps": 20,
    "cfg_scale": 5,
    "sampler": "euler",
    # -1: a seed of the studio's choice. Four of them: four pictures.
    "seeds": [-1, -1, -1, -1],
}


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 1 when anything is not as promised, said in one line."""
    options = _parser().parse_args(arguments)
    spec = SPEC | {"prompt": options.prompt, "model": options.model}
    try:
        with _address(options) as url, Studio(url) as studio:
            show_studio(studio, spec, options.output)
    except (BrokenPromise, LocalError) as error:
        complain(error.korean, error.english)
    except (Refused, httpx.HTTPError, WebSocketException, OSError) as error:
        complain(f"실패했습니다: {error}", f"It failed: {error}")
    except KeyboardInterrupt:
        complain("중단했습니다.", "Interrupted.")
    else:
        return 0
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo")
    parser.add_argument("--url", help="a studio that runs; else this checkout's own")
    parser.add_argument("--home", type=Path, help="where its data lie, not .pingvas/")
    parser.add_argument("--prompt", default=SPEC["prompt"])
    parser.add_argument("--model", default=SPEC["model"])
    parser.add_argument("--output", type=Path, default=Path("demo.png"))
    return parser


def _address(options: argparse.Namespace) -> AbstractContextManager[str]:
    if options.url:
        return nullcontext(options.url)
    return running_studio(open_home(options.home))


def show_studio(studio: Studio, spec: Json, output: Path) -> None:
    """The whole way from a new account to four pictures and right books.

    Raises:
        BrokenPromise: something is not as the studio promises.
        Refused: the API said no.
    """
    email = f"demo-{secrets.token_hex(6)}@pingvas.example"
    studio.sign_up(email, secrets.token_urlsafe(12))
    say(f"가입: {email}", f"Signed up as {email}")
    quote = studio.quote(spec)
    say(
        f"견적: 그림 {quote['pictures']}장, 최대 {quote['total']} 크레딧",
        f"Quote: {quote['pictures']} pictures for at most {quote['total']} credits",
    )
    pictures = make_pictures(studio, spec)
    for picture in pictures:
        check_picture(picture, spec)
    save_sheet(pictures, output)
    say(f"저장: {output}", f"Saved {output}")
    print_receipts(pictures)
    check_charges(pictures, quote)
    credits, ledger = studio.credits(), studio.ledger()
    print_ledger(ledger, credits)
    check_books(credits, ledger, pictures)
    say("모든 것이 약속대로입니다.", "Everything is as promised.")


def make_pictures(studio: Studio, spec: Json) -> list[Picture]:
    """Submit `spec`, follow its jobs to their ends and fetch what they made."""
    with closing(studio.events()) as frames:
        # Before the submission: from here on nothing is missed.
        hello = next(frames)
        jobs = studio.submit(spec)
        say(f"제출: 작업 {len(jobs)}개", f"Submitted {len(jobs)} jobs")
        order = InOrder(hello["seq"])
        images = _follow(frames, [job["id"] for job in jobs], spec["steps"], order)
    return [
        Picture(job, studio.receipt(job["id"]), studio.picture(images[job["id"]]))
        for job in jobs
    ]


def _follow(
    frames: Iterator[Json], waiting: list[str], steps: int, order: InOrder
) -> dict[str, str]:
    """The picture's id of each job, once all have completed."""
    bar = ProgressBar(len(waiting) * steps)
    deadline = time.monotonic() + LONGEST
    images: dict[str, str] = {}
    while len(images) < len(waiting):
        frame = _next(frames, deadline)
        order.check(frame)
        job, data = frame["job_id"], frame["data"]
        if job not in waiting:
            continue
        if frame["type"] == "job.progress":
            bar.advance(job, data["step"])
        elif frame["type"] in ENDINGS:
            check_completed(frame)
            bar.advance(job, steps)
            images[job] = data["image_id"]
    bar.finish()
    return images


def _next(frames: Iterator[Json], deadline: float) -> Json:
    try:
        frame = next(frames)
    except TimeoutError:
        raise _too_slow() from None
    if time.monotonic() > deadline:
        raise _too_slow()
    return frame


def _too_slow() -> BrokenPromise:
    return BrokenPromise(
        "The pictures were not ready in time. Is a generation worker running?",
        "그림이 제때 완성되지 않았습니다. 생성 워커가 실행 중인가요?",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
