"""The demo notices what is not as promised, and says it in one line."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from demo.promises import (
    BrokenPromise,
    InOrder,
    Picture,
    check_books,
    check_charges,
    check_completed,
    check_picture,
)
from demo.sheet import save_sheet

SPEC = {
    "prompt": "a red heart on a white background",
    "model": "starter-2",
    "width": 128,
    "height": 128,
    "steps": 20,
}
QUOTE = {"credits": 2, "pictures": 4, "total": 8}


def png(*, size=(128, 128), colour="red", **changes):
    chunks = PngInfo()
    chunks.add_text("pingvas_metadata", json.dumps({**SPEC, "seed": 7, **changes}))
    chunks.add_text("parameters", SPEC["prompt"])
    return encode(size, colour, chunks)


def encode(size=(128, 128), colour="red", chunks=None):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def picture(number=0, file=None, **receipt):
    return Picture(
        job={"id": f"job-{number}", "resolved_seed": 7},
        receipt={"held": 2, "charged": 1, "released": 1} | receipt,
        png=file or png(),
    )


def book(*amounts):
    """A ledger, newest first: the free month, and what each job cost."""
    rows, balance = [], 0
    for sequence, amount in enumerate(amounts, 1):
        balance += amount
        rows.append(
            {
                "sequence": sequence,
                "type": "generation_usage" if amount < 0 else "subscription_grant",
                "amount": amount,
                "balance_after": balance,
                "job_id": f"job-{sequence - 2}" if amount < 0 else None,
            }
        )
    return rows[::-1]


def test_what_is_as_promised_passes():
    check_picture(picture(), SPEC)
    check_charges([picture()], QUOTE)
    check_completed({"type": "job.completed", "data": {}})
    pictures = [picture(0), picture(1)]
    check_books({"balance": 298, "held": 0}, book(300, -1, -1), pictures)


@pytest.mark.parametrize(
    "file",
    [
        png(size=(64, 128)),
        png(seed=8),
        png(prompt="something else"),
        png(model="another"),
        encode(),
    ],
    ids=["size", "seed", "prompt", "model", "no settings"],
)
def test_a_wrong_file_is_noticed(file):
    with pytest.raises(BrokenPromise):
        check_picture(picture(file=file), SPEC)


@pytest.mark.parametrize(
    "receipt",
    [
        {"held": 3, "charged": 3, "released": 0},
        {"charged": 0, "released": 2},
        {"released": 0},
    ],
)
def test_a_wrong_receipt_is_noticed(receipt):
    with pytest.raises(BrokenPromise):
        check_charges([picture(), picture(**receipt)], QUOTE)


@pytest.mark.parametrize(
    ("credits", "ledger"),
    [
        ({"balance": 299, "held": 0}, book(300, -1, -1)),
        ({"balance": 298, "held": 1}, book(300, -1, -1)),
        ({"balance": 299, "held": 0}, book(300, -1)),
        ({"balance": 297, "held": 0}, book(300, -1, -2)),
    ],
)
def test_wrong_books_are_noticed(credits, ledger):
    with pytest.raises(BrokenPromise):
        check_books(credits, ledger, [picture(0), picture(1)])


@pytest.mark.parametrize("sequence", [9, 10, 12])
def test_an_event_that_is_missing_or_comes_again_is_noticed(sequence):
    order = InOrder(9)
    order.check({"seq": 10})
    with pytest.raises(BrokenPromise, match="after event 10"):
        order.check({"seq": sequence})


def test_a_failed_job_is_told_with_its_reason():
    frame = {"type": "job.failed", "data": {"message": "It did not fit."}}
    with pytest.raises(BrokenPromise, match="It did not fit"):
        check_completed(frame)


def test_the_sheet_shows_every_picture_over_its_prompt(tmp_path):
    colours = ["red", "lime", "blue", "yellow"]
    pictures = [picture(n, png(colour=one)) for n, one in enumerate(colours)]
    save_sheet(pictures, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        found = {colour: count for count, colour in sheet.getcolors(1 << 20)}
        size = sheet.size
    for colour in [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]:
        assert found[colour] == 256 * 256
    # The captions' ink is there, on all that the pictures leave.
    assert found[(29, 35, 48)] > 100
    assert size[0] > 2 * 256
    assert size[1] > 2 * 256
