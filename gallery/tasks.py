"""Scheduled work of the gallery."""

from __future__ import annotations

from celery import shared_task

from gallery.orphans import remove_orphans
from gallery.usage import fold_picture_bytes


@shared_task(name="gallery.remove_orphans", ignore_result=True)
def sweep_orphans() -> None:
    remove_orphans()


@shared_task(name="gallery.fold_picture_bytes", ignore_result=True)
def fold_bytes() -> None:
    fold_picture_bytes()
