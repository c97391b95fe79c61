"""The request id goes with a Celery message and names the worker's log lines too."""

from __future__ import annotations

from typing import Any

from celery import signals

from pingvas.log import NO_REQUEST, current_request_id, set_request_id

HEADER = "pingvas_request_id"


@signals.before_task_publish.connect
def send_request_id(headers: dict[str, Any], **kwargs: Any) -> None:
    request_id = current_request_id()
    if request_id != NO_REQUEST:
        headers.setdefault(HEADER, request_id)


@signals.task_prerun.connect
def take_request_id(task_id: str, task: Any, **kwargs: Any) -> None:
    """A message that no request sent (Beat's, a sweep's) is known by its own id."""
    sent = task.request.get(HEADER) or (task.request.headers or {}).get(HEADER)
    set_request_id(sent or task_id)


@signals.task_postrun.connect
def drop_request_id(**kwargs: Any) -> None:
    set_request_id(NO_REQUEST)
