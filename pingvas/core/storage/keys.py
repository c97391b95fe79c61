"""Names of objects in the store: all of them are spelled here."""

from __future__ import annotations

IMAGES = "images"
MODELS = "models"


def thumbnail_key(key: str) -> str:
    """The thumbnail's key beside its master's."""
    return f"{key.removesuffix('.png')}.thumb.webp"


def master_key(key: str) -> str:
    """The master's key for its own or its thumbnail's."""
    if key.endswith(".thumb.webp"):
        return f"{key.removesuffix('.thumb.webp')}.png"
    return key
