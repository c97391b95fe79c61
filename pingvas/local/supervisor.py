"""Keeps the members alive until it is asked to stop, then ends them in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType

from pingvas.local.console import say, write_line
from pingvas.local.keeper import Keeper
from pingvas.local.log_watch import LogWatch
from pingvas.local.members import Member

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PAUSE = 0.2


class StopRequest:
    """Counts the requests to stop: the first asks nicely, the second hurries."""

    def __init__(self) -> None:
        self.count = 0

    def listen(self) -> None:
        """Take the stop signals of this process from now on."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._note)
        # Closing the terminal stops the studio, unless it was started by nohup.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def is_made(self) -> bool:
        """Whether anybody asked to stop."""
        return self.count > 0

    def is_urgent(self) -> bool:
        """Whether somebody asked twice."""
        return self.count > 1


class Supervisor:
    """Starts members in order, restarts what dies, stops them in reverse order."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request
        self._keepers: list[Keeper] = []
        self._watches: dict[str, LogWatch] = {}

    def adopt(self, members: Sequence[Member]) -> None:
        """Start each member, unless a stop was asked for, and look after it.

        Raises:
            LocalError: a member refused to start.
        """
        for member in members:
            if self._request.is_made():
                return
            keeper = Keeper(member)
            self._keepers.append(keeper)
            if member.is_talkative:
                self._watches[member.name] = LogWatch(member.log)
            keeper.start()

    def watch(self, *, each_round: Callable[[], None]) -> None:
        """Look after the members until a stop is asked for.

        Raises:
            LocalError: a member died too often.
        """
        while not self._request.is_made():
            for keeper in self._keepers:
                keeper.check()
            self._report()
            each_round()
            time.sleep(PAUSE)

    def stop(self) -> None:
        """End every member, the last started first."""
        if self._keepers:
            say(
                "종료하는 중입니다. (Ctrl-C를 다시 누르면 즉시 종료)",
                "Stopping. (Ctrl-C again to end at once)",
            )
        while self._keepers:
            member = self._keepers.pop().member
            member.stop(is_hurried=self._request.is_urgent)

    def _report(self) -> None:
        for name, watch in self._watches.items():
            for line in watch.read_important():
                write_line(f"[{name}] {line}")
