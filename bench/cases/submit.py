"""Submissions over HTTP, beside the statements that one of them sends."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.test import Client

from accounts.models import User
from accounts.tokens import issue_tokens
from bench.clients import open_clients, rate_of
from bench.filling import (
    FIRST,
    add_model,
    analyze,
    fill_users,
    numbered_id,
    open_administrator,
)
from bench.http_client import HttpClient, post_request
from bench.processors import Meter
from bench.programs import open_web
from bench.report import Ratio, Rounds
from bench.statements import record_statements, run_pgbench, script_of
from pingvas.core.db.actor import SERVICE, acting_as

PATH = "/api/v1/jobs"
WISH = {
    "model": "starter",
    "prompt": "a star",
    "width": 128,
    "height": 128,
    "seeds": [7],
}
RECORDED = FIRST + 500


@dataclass(frozen=True)
class Size:
    """`each`: submissions of one client in one round. A client is a user.

    Their kept connections fall on the web's processes as the kernel deals them out: of
    four, one process often got all, and half of the machine stood idle.
    """

    rounds: int
    each: int
    clients: int = 8


SIZES = {True: Size(rounds=3, each=30), False: Size(rounds=7, each=100)}


def measure(*, small: bool) -> list[Ratio]:
    """Submissions a second over HTTP."""
    size = SIZES[small]
    _fill(size)
    script = _script()
    tokens = [_token(FIRST + client) for client in range(size.clients)]
    base = iter(range(2 * FIRST, 9 * FIRST, 100_000_000))
    meter = Meter()
    processes = os.cpu_count() or 1
    with open_web(processes) as port, open_clients(size.clients) as pool:
        work = partial(_submit_many, port, tokens)
        rate_of(pool, work, clients=size.clients, first=0, each=5, apart=1)
        submit_all = partial(
            rate_of, pool, work, clients=size.clients, first=0, each=size.each, apart=1
        )
        send_all = partial(
            run_pgbench, script, clients=size.clients, transactions=size.each
        )
        calls = size.clients * size.each
        rounds = Rounds.alternate(
            size.rounds,
            lambda: meter.ours(submit_all, calls),
            lambda: meter.other(
                lambda: send_all(
                    variables={"base": next(base), "first_user": FIRST + 100}
                ),
                calls,
            ),
        )
    return [
        rounds.ratio(
            name="submissions a second over HTTP",
            unit="1/s",
            goal=">= 0.25",
            note=f"POST {PATH} by access token, {processes} uvicorn processes as "
            f"production has one a core, {size.clients} clients; pgbench with the "
            "recorded statements, as many clients",
        ),
        meter.ratio(),
    ]


def _fill(size: Size) -> None:
    with open_administrator() as admin:
        for first in (FIRST, FIRST + 100):
            fill_users(admin, first, size.clients)
        fill_users(admin, RECORDED, 1)
        analyze(admin)
    add_model()


def _token(number: int) -> str:
    with acting_as(SERVICE):
        user = User.objects.get(pk=numbered_id(number))
    return issue_tokens(user=user).access


def _script() -> str:
    """The statements of a user's third submission, through the whole request."""
    client = Client(headers={"Authorization": f"Bearer {_token(RECORDED)}"})
    for _ in range(2):
        _post(client)
    with record_statements() as statements:
        _post(client)
    return script_of(statements, {str(RECORDED): ":user"})


def _post(client: Client) -> None:
    answer = client.post(PATH, json.dumps(WISH), content_type="application/json")
    _check(answer.status_code, answer.content)


def _submit_many(port: int, tokens: list[str], client: int, count: int) -> None:
    body = json.dumps(WISH).encode()
    http = HttpClient(port, post_request(PATH, body, token=tokens[client]))
    try:
        for _ in range(count):
            _check(*http.send())
    finally:
        http.close()


def _check(status: int, body: Any) -> None:
    if status != 201:
        raise RuntimeError(f"submission answered {status}: {body!r}")
