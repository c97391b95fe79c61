"""How often the decoder would go through a JPEG's pixels."""

from __future__ import annotations

import re

from gallery.picture_files.parts import MOST_PARTS

_SCAN = 0xDA
_END = 0xD9
# Those that have a length, and the end. Pixels are between them, in which 0xFF is
# followed by nothing, or by a mark that stands alone: those are passed at once.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")


def count_scans(content: bytes) -> int:
    """The scans of a JPEG, of which nothing behind its own end is a part.

    Phones put a film or a second picture there. Goes as the decoder does, so that it
    cannot be led past a scan; linear. ValueError for more parts than any encoder makes.
    """
    scans, at = 0, 2
    for _ in range(MOST_PARTS):
        found = _MARKER.search(content, at)
        if found is None or found[1][0] == _END:
            return scans
        scans += found[1][0] == _SCAN
        length = content[found.end() : found.end() + 2]
        at = found.end() + int.from_bytes(length, "big")
    raise ValueError("a JPEG of too many parts")
