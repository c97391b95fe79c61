"""Learn how fast models run, so that quotes and expected waits are honest."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from pingvas.recipe.settings import Settings

# Weight of the newest pass: a new driver shows within ten pictures.
NEWEST = 0.2

_UPSERT = """
    INSERT INTO model_speeds AS m
        (model, hardware_class, step_milliseconds, around_milliseconds,
         loading_milliseconds)
    VALUES (%(model)s, %(hardware)s, %(step)s, %(around)s, %(loading)s)
    ON CONFLICT (model, hardware_class) DO UPDATE SET
        step_milliseconds = m.step_milliseconds
            + %(newest)s * (excluded.step_milliseconds - m.step_milliseconds),
        around_milliseconds = m.around_milliseconds
            + %(newest)s * (excluded.around_milliseconds - m.around_milliseconds),
        loading_milliseconds = coalesce(
            m.loading_milliseconds + %(newest)s
                * (excluded.loading_milliseconds - m.loading_milliseconds),
            excluded.loading_milliseconds, m.loading_milliseconds),
        samples = m.samples + 1,
        updated_at = now()
"""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One forward pass: milliseconds for all its steps, and around them, a picture.

    loading_milliseconds: None where the model was resident already.
    """

    model: str
    hardware_class: str
    settings: Settings
    step_milliseconds: float
    around_milliseconds: float
    loading_milliseconds: float | None = None


def record_speed(seen: Measurement) -> None:
    """Fold one pass into the model's mean speed on this hardware."""
    step, around = seen.settings.speed_of(
        steps=seen.step_milliseconds, around=seen.around_milliseconds
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _UPSERT,
            {
                "model": seen.model,
                "hardware": seen.hardware_class,
                "step": step,
                "around": around,
                "loading": seen.loading_milliseconds,
                "newest": NEWEST,
            },
        )
