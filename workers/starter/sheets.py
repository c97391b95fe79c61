"""Contact sheets: many small pictures as one PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from workers.starter.scenes import Pixels

GAP = 4


def save_sheet(path: Path, pictures: Pixels, *, columns: int) -> None:
    """Pictures row by row on white; the last row may be short."""
    rows = -(-len(pictures) // columns)
    height, width = (side + GAP for side in pictures.shape[1:3])
    sheet = np.full((rows * height + GAP, columns * width + GAP, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        top, left = GAP + row * height, GAP + column * width
        sheet[top : top + len(picture), left : left + picture.shape[1]] = picture
    Image.fromarray(sheet).save(path, optimize=True)
