from __future__ import annotations

import pytest

from pingvas.beat import Scheduler
from pingvas.celery import app
from pingvas.core.db.actor import SERVICE, acting_as


@pytest.mark.django_db(transaction=True)
def test_every_tick_is_a_sign_of_life(settings, tmp_path):
    sign = tmp_path / "heartbeat"
    settings.BEAT_HEARTBEAT_PATH = str(sign)
    scheduler = Scheduler(app=app, lazy=True)
    assert scheduler.max_interval <= 60
    with acting_as(SERVICE):
        scheduler.tick()
        sign.unlink()
        scheduler.tick()
    assert sign.exists()


def test_beat_runs_this_scheduler():
    assert app.conf.beat_scheduler == "pingvas.beat:Scheduler"
