"""Clients that hold connections open and give or take next to nothing.

    python -m bench.attackers PORT LINK --each 200 --seconds 60

Each kind from as many addresses of 127/8 as it has clients; whoever is let go comes
back. Prints as JSON how often each kind was answered and how often let go.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HOST = b"Host: localhost\r\n"
HANDSHAKE = (
    HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
PICTURE_BYTES = 8 * 1024 * 1024
DRIP_SECONDS = 1.0
# Of Linux's TCP_INFO.
TCP_CLOSE = 7


@dataclass(frozen=True)
class Kind:
    """begin: what is sent at once. drip: what follows every second. reads: how much is
    taken every second."""

    begin: bytes
    drip: bytes = b""
    reads: int = 4096


def kinds_of(link: str) -> dict[str, Kind]:
    """The five attacks; `link`: the path of a large file that anybody may read."""
    token = b"POST /api/v1/auth/token HTTP/1.1\r\n" + HOST
    form = b"POST /sign-in HTTP/1.1\r\n" + HOST + FORM
    return {
        "slow body": Kind(token + b"Content-Length: 1000\r\n\r\n{...", drip=b""),
        "drip writer": Kind(form + b"Content-Length: 60000\r\n\r\n", drip=b"a"),
        "drip reader": Kind(
            f"GET {link} HTTP/1.1\r\n".encode() + HOST + b"\r\n", b"", 64
        ),
        "slow head": Kind(b"GET /gallery HTTP/1.1\r\n" + HOST, drip=b"X-A: b\r\n"),
        "hung handshake": Kind(
            b"GET /ws/v1/events?" + b"a" * 9000 + b" HTTP/1.1\r\n" + HANDSHAKE + b"\r\n"
        ),
    }


@dataclass
class Outcome:
    """How often each kind began, was let go, and with which first lines."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    def as_record(self) -> dict[str, dict[str, int]]:
        return {
            "begun": dict(self.begun),
            "ended": dict(self.ended),
            "answers": dict(self.answers),
        }


async def attack(port: int, link: str, *, each: int, outcome: Outcome) -> None:
    """Attack until cancelled, with `each` clients of every kind."""
    async with asyncio.TaskGroup() as group:
        for name, kind in kinds_of(link).items():
            for number in range(each):
                attacker = Attacker(port, name, kind, number, outcome)
                # Each in its own moment of the second, as strangers would.
                group.create_task(attacker.attack(DRIP_SECONDS * number / each))


async def attack_for(seconds: float, port: int, link: str, *, each: int) -> Outcome:
    outcome = Outcome()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await attack(port, link, each=each, outcome=outcome)
    return outcome


class Attacker:
    """One client of one kind."""

    def __init__(
        self, port: int, name: str, kind: Kind, number: int, outcome: Outcome
    ) -> None:
        self._port = port
        self._name = name
        self._kind = kind
        self._address = address(number)
        self._outcome = outcome

    async def attack(self, delay: float) -> None:
        await asyncio.sleep(delay)
        while True:
            with suppress(OSError):
                async with self._connection() as (reader, writer):
                    self._outcome.begun[self._name] += 1
                    await self._hold(reader, writer)
                    self._outcome.ended[self._name] += 1
            await asyncio.sleep(DRIP_SECONDS)

    @asynccontextmanager
    async def _connection(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        one = socket.socket()
        # As little as the kernel allows: what it takes is not waited for.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(0)
        one.bind((self._address, 0))
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(one, ("127.0.0.1", self._port))
        except BaseException:
            one.close()
            raise
        reader, writer = await asyncio.open_connection(sock=one, limit=2048)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _hold(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Until the server lets go."""
        writer.write(self._kind.begin)
        first = b""
        while not reader.at_eof() and not _is_cut(writer):
            with suppress(TimeoutError):
                async with asyncio.timeout(DRIP_SECONDS):
                    piece = await reader.read(self._kind.reads)
                if not first and piece:
                    first = piece
                    self._outcome.answers[f"{self._name}: {first[9:12].decode()}"] += 1
                if not piece:
                    return
                await asyncio.sleep(DRIP_SECONDS)
            if self._kind.drip:
                writer.write(self._kind.drip)
                await writer.drain()


def _is_cut(writer: asyncio.StreamWriter) -> bool:
    """Whether the server aborted: who does not read would not hear of it."""
    one = writer.get_extra_info("socket")
    return bool(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE)


def address(number: int) -> str:
    """A loopback address of this client's own; none of it is 127.0.0.1."""
    return f"127.1.{number // 200}.{number % 200 + 1}"


def main(argv: list[str], say: Callable[[str], object] = sys.stdout.write) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.attackers")
    parser.add_argument("port", type=int)
    parser.add_argument("link")
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args(argv)
    outcome = asyncio.run(
        attack_for(options.seconds, options.port, options.link, each=options.each)
    )
    say(json.dumps(outcome.as_record()))


if __name__ == "__main__":
    main(sys.argv[1:])
