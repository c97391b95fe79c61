"""The studio's settings, with limits that do not stand in a measurement's way."""

from __future__ import annotations

import os

from pingvas.settings import *  # noqa: F403 - these settings are those, but for a few

# The administrator fills tables and the clients are many; nothing else differs.
TIER_OVERRIDES = {
    tier: {"waiting": 10_000_000, "submissions": 10_000_000}
    for tier in ("free", "starter", "pro", "studio", "enterprise")
}
API_REQUESTS_PER_MINUTE = 10_000_000
API_PICTURES_PER_MINUTE = 10_000_000
# They all come from one address.
CONNECTIONS_PER_ADDRESS = SOCKETS_PER_ADDRESS = 10_000_000
if os.environ.get("BENCH_RUNNING"):
    for limits in TIER_OVERRIDES.values():
        limits["running"] = int(os.environ["BENCH_RUNNING"])
