"""Many sockets, each following a job: is every ending told?"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field
from multiprocessing.pool import Pool

from websockets.asyncio.client import ClientConnection, connect

from accounts.tokens import issue_ws_ticket
from bench.clients import open_clients, rate_of
from bench.filling import (
    FIRST,
    analyze,
    fill_running_jobs,
    fill_users,
    numbered_id,
    open_administrator,
)
from bench.finishing import finish
from bench.programs import open_web
from bench.report import Ratio
from generation.services.lifecycle import Attempt
from generation.services.progress import report_step

SOCKETS = {True: 50, False: 500}
CLIENTS = 2
STEPS = 5
# Handshakes under way at a time; a ticket is good for seconds only.
OPENING = 10
PATIENCE_SECONDS = 60.0


def measure(*, small: bool) -> list[Ratio]:
    """Endings delivered, of those that were sent."""
    sockets = SOCKETS[small]
    with open_administrator() as admin:
        fill_users(admin, FIRST, sockets)
        fill_running_jobs(admin, FIRST, sockets)
        analyze(admin)
    with open_web() as port, open_clients(CLIENTS) as workers:
        told = asyncio.run(_follow_all(port, sockets, workers))
    return [
        Ratio(
            name=f"endings told to {sockets} sockets",
            ours=len(told.delays),
            other=sockets,
            unit="events",
            ratio=len(told.delays) / sockets,
            goal=">= 1",
            note=f"one web process; {STEPS} steps and the completion of a job for "
            "every socket, by two worker processes at once; median delay of an ending "
            f"{statistics.median(told.delays or [0]):.0f} ms, longest "
            f"{max(told.delays, default=0):.0f} ms",
        )
    ]


@dataclass
class Told:
    """Milliseconds from an ending's time stamp to the client that it reached."""

    delays: list[float] = field(default_factory=list)


async def _follow_all(port: int, sockets: int, workers: Pool) -> Told:
    """Open every socket, end every job and collect what arrives."""
    gate, told = asyncio.Semaphore(OPENING), Told()
    numbers = range(FIRST, FIRST + sockets)
    lines = await asyncio.gather(*(_open(port, number, gate) for number in numbers))
    followers = [
        asyncio.create_task(_follow(line, number, told))
        for line, number in zip(lines, numbers, strict=True)
    ]
    each = sockets // CLIENTS
    await asyncio.to_thread(
        rate_of, workers, _work, clients=CLIENTS, first=FIRST, each=each
    )
    await asyncio.wait(followers, timeout=PATIENCE_SECONDS)
    for line in lines:
        await line.close()
    await asyncio.gather(*followers, return_exceptions=True)
    return told


async def _open(port: int, number: int, gate: asyncio.Semaphore) -> ClientConnection:
    """A socket of that user's that has been greeted."""
    async with gate:
        ticket = issue_ws_ticket(user_id=numbered_id(number))
        address = f"ws://127.0.0.1:{port}/ws/v1/events?token={ticket}"
        line = await connect(address, open_timeout=PATIENCE_SECONDS)
        hello = json.loads(await line.recv())
    if hello["type"] != "hello":
        raise RuntimeError(f"greeted with {hello}")
    return line


async def _follow(line: ClientConnection, number: int, told: Told) -> None:
    async for text in line:
        event = json.loads(text)
        ours = event.get("job_id") == str(numbered_id(number))
        if ours and event["type"] == "job.completed":
            told.delays.append(time.time() * 1000 - event["ts"])
            return


def _work(first: int, count: int) -> None:
    """What a worker tells of each job: its steps, and its end."""
    for number in range(first, first + count):
        job_id = numbered_id(number)
        attempt = Attempt(job_id=job_id, user_id=job_id, number=1)
        for step in range(1, STEPS + 1):
            report_step(attempt, step=step, total=STEPS, preview=False)
        finish(attempt)
