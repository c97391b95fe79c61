"""The two lanes in which pictures are made, and a user's place in each.

Both places are columns of the user's one share, which a claim locks: what it read of a
place is what the place is behind the lock. Those of the GPUs' lane have the names that
they had when there was no other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.db import models


class Lane(models.TextChoices):
    GPU = "gpu"
    EXTERNAL = "external"


@dataclass(frozen=True, kw_only=True)
class LanePlace:
    """Which columns keep a place: of `queue_shares`, and `clock` of `queue_clock`.

    limits: columns that count submissions under way, each with that of its limit.
    """

    lane: str
    place_claimable: str
    since: str
    start: str
    finish: str
    clock: str
    limits: tuple[tuple[str, str], ...]

    def parts(self) -> dict[str, str]:
        """The names, for the text of a statement."""
        return {key: value for key, value in asdict(self).items() if key != "limits"}

    def has_room(self, *, counts: str, share: str) -> str:
        """SQL: whether what `counts` has counted leaves room for one more."""
        rooms = [f"{counts}.{count} < {share}.{limit}" for count, limit in self.limits]
        return " AND ".join(rooms)


_EVERY_LANE = ("running", "running_limit")

PLACES = {
    Lane.GPU: LanePlace(
        lane="gpu",
        place_claimable="claimable",
        since="waiting_since",
        start="virtual_start",
        finish="virtual_finish",
        clock="virtual_time",
        limits=(_EVERY_LANE,),
    ),
    Lane.EXTERNAL: LanePlace(
        lane="external",
        place_claimable="external_claimable",
        since="external_since",
        start="external_start",
        finish="external_finish",
        clock="external_time",
        limits=(_EVERY_LANE, ("external_running", "external_limit")),
    ),
}


def other_lane(lane: str) -> Lane:
    return Lane.GPU if lane == Lane.EXTERNAL else Lane.EXTERNAL
