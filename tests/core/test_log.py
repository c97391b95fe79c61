from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest

from pingvas.celery import app
from pingvas.core.tracing import HEADER
from pingvas.log import (
    NO_REQUEST,
    AddRequestId,
    JsonFormatter,
    current_request_id,
    logging_config,
    request_id_scope,
)
from tests.core.programs import MINIMAL, ROOT, run_python


def formatted(message, *args, **extra):
    record = logging.makeLogRecord(
        {"name": "pingvas.test", "levelname": "INFO", "msg": message, "args": args}
        | extra
    )
    AddRequestId().filter(record)
    return json.loads(JsonFormatter().format(record))


def test_a_line_is_one_json_object_with_the_request_and_the_extras():
    with request_id_scope("abc"):
        line = formatted("%d 장", 4, job_id="j1")
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "pingvas.test",
        "request_id": "abc",
        "message": "4 장",
        "job_id": "j1",
    }


def test_an_exception_stays_on_its_line():
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        line = formatted("failed", exc_info=sys.exc_info())
    assert "ValueError: first\nsecond" in line["exception"]


def test_an_extra_cannot_forge_the_fields_of_the_line():
    line = formatted("harmless", level="CRITICAL", logger="root")
    assert (line["level"], line["logger"]) == ("INFO", "pingvas.test")


def test_a_value_that_is_no_json_is_written_as_text():
    assert formatted("x", path=ROOT)["path"] == str(ROOT)


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 64])
def test_a_sane_request_id_is_taken_over_and_answered(client, given):
    response = client.get("/nowhere", headers={"X-Request-ID": given})
    assert response["X-Request-ID"] == given


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "two words", "line\nbreak", "x" * 65, "한글"])
def test_any_other_is_replaced(client, given):
    made = client.get("/nowhere", headers={"X-Request-ID": given})["X-Request-ID"]
    assert made != given
    assert len(made) == 32
    again = client.get("/nowhere", headers={"X-Request-ID": given})["X-Request-ID"]
    assert made != again


@pytest.mark.django_db
def test_the_line_about_a_failed_request_has_its_id(client, caplog):
    caplog.handler.addFilter(AddRequestId())
    client.get("/nowhere", headers={"X-Request-ID": "abc"})
    (record,) = [r for r in caplog.records if r.name == "django.request"]
    assert record.request_id == "abc"


@pytest.mark.django_db
def test_the_id_is_forgotten_after_the_request(client):
    client.get("/nowhere", headers={"X-Request-ID": "abc"})
    assert current_request_id() == NO_REQUEST


def test_production_logs_json_and_development_text():
    for form, is_json in (("json", True), ("text", False)):
        program = (
            "import pingvas.settings, logging.config, logging;"
            "logging.config.dictConfig(pingvas.settings.LOGGING);"
            "logging.getLogger('pingvas').warning('hello')"
        )
        line = run_python(MINIMAL | {"LOG_FORMAT": form}, "-c", program).stderr
        assert line.startswith("{") is is_json
        assert "hello" in line


def test_the_logging_configuration_accepts_both_forms():
    for form in ("json", "text"):
        logging.config.DictConfigurator(logging_config(form, "INFO"))


@app.task(name="tests.report_request_id")
def report_request_id():
    return current_request_id()


def test_a_message_carries_the_id_of_the_request_that_sent_it(monkeypatch):
    sent = []
    monkeypatch.setattr(
        "kombu.messaging.Producer.publish",
        lambda self, body, **options: sent.append(options["headers"]),
    )
    with request_id_scope("from-the-browser"):
        report_request_id.apply_async()
    report_request_id.apply_async()
    assert sent[0][HEADER] == "from-the-browser"
    assert HEADER not in sent[1]


def test_a_task_takes_the_id_over_and_gives_it_back():
    result = report_request_id.apply(headers={HEADER: "from-the-browser"})
    assert result.get() == "from-the-browser"
    assert current_request_id() == NO_REQUEST


def test_a_message_of_no_request_is_known_by_its_own_id():
    result = report_request_id.apply(task_id="t1")
    assert result.get() == "t1"


# Of those that Redis lets the workers have.
QUEUE = "maintenance.tests"
WORKER_TASK = """
import logging
from pingvas.celery import app

@app.task(name="tests.log_a_line")
def log_a_line():
    logging.getLogger("pingvas.probe").warning("working")
    app.control.shutdown()
"""


def test_the_id_follows_a_job_into_the_log_of_a_real_worker(tmp_path):
    (tmp_path / "probe_tasks.py").write_text(WORKER_TASK)
    with request_id_scope("from-the-browser"):
        app.send_task("tests.log_a_line", queue=QUEUE)
    worker = subprocess.run(
        [
            *(sys.executable, "-m", "celery", "-A", "pingvas", "worker"),
            *("-Q", QUEUE, "-I", "probe_tasks", "-c", "1"),
            *("--without-gossip", "--without-mingle"),
        ],
        env=os.environ
        | {
            "PYTHONPATH": str(tmp_path),
            "LOG_FORMAT": "json",
            "DATABASE_URL": os.environ["DATABASE_WORKER_URL"],
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in worker.stderr.splitlines() if '"working"' in line]
    assert [json.loads(line)["request_id"] for line in lines] == ["from-the-browser"]
