"""Four pictures with their prompts, on one sheet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from demo.promises import Picture

COLUMNS = 2
# Small pictures are shown in whole multiples, so that their pixels stay square.
SIDE = 256
MARGIN = 24
CAPTION = 52
PAPER, FRAME, INK = "#ffffff", "#c9cfda", "#1d2330"


def save_sheet(pictures: Sequence[Picture], path: Path) -> None:
    """Write the sheet to `path` as PNG."""
    rows = -(-len(pictures) // COLUMNS)
    cell = (SIDE + MARGIN, SIDE + CAPTION + MARGIN)
    size = (MARGIN + COLUMNS * cell[0], MARGIN + rows * cell[1])
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, COLUMNS)
        x, y = MARGIN + column * cell[0], MARGIN + row * cell[1]
        sheet.paste(_fit(picture.png), (x, y))
        draw.rectangle((x - 1, y - 1, x + SIDE, y + SIDE), outline=FRAME)
        words = _wrap(picture.caption, font)
        draw.multiline_text((x, y + SIDE + 6), words, fill=INK, font=font, spacing=3)
    sheet.save(path, optimize=True)


def _fit(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert("RGB")
    way = Image.Resampling.NEAREST if SIDE % picture.width == 0 else None
    return picture.resize((SIDE, SIDE * picture.height // picture.width), way)


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Break lines between words so that each fits under its picture."""
    lines: list[str] = []
    for part in text.split("\n"):
        lines.append("")
        for word in part.split():
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) > SIDE:
                lines.append(word)
            else:
                lines[-1] = longer
    return "\n".join(lines)
