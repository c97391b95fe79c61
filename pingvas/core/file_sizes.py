"""How large a file that somebody brings may be."""

from __future__ import annotations

LARGEST_PICTURE = 20 * 1024 * 1024
