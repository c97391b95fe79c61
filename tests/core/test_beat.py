from __future__ import annotations

import pytest

from pingvas.beat import Scheduler
from pingvas.celery import app
from tests.database import signed_in_as_worker


@pytest.mark.django_db(transaction=True)
def test_every_tick_is_a_sign_of_life(settings, tmp_path):
    sign = tmp_path / "heartbeat"
    settings.BEAT_HEARTBEAT_PATH = str(sign)
    with signed_in_as_worker():
        scheduler = Scheduler(app=app, lazy=True)
        assert scheduler.max_interval <= 60
        scheduler.tick()
        sign.unlink()
        scheduler.tick()
    assert sign.exists()


def test_beat_runs_this_scheduler():
    assert app.conf.beat_scheduler == "pingvas.beat:Scheduler"
