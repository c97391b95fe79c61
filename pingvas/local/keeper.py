"""Restarts one member that died, slower each time, and gives up in the end."""

from __future__ import annotations

import time
from collections.abc import Callable

from pingvas.local.console import say
from pingvas.local.errors import LocalError
from pingvas.local.members import Member
from pingvas.local.processes import read_last_lines

QUICK_DEATH = 10.0
DEATHS_ALLOWED = 4


class Keeper:
    """Counts quick deaths in a row; a life of 10 seconds makes up for them.

    Args:
        clock: seconds that only grow.
    """

    def __init__(
        self, member: Member, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.member = member
        self._clock = clock
        self._deaths = 0
        self._started_at = 0.0
        self._restart_at: float | None = None

    def start(self) -> None:
        """Start the member now."""
        self._restart_at = None
        self._started_at = self._clock()
        self.member.start()

    def check(self) -> None:
        """Notice a death, or restart after one when its time has come.

        Raises:
            LocalError: the member died too often; with the end of its log.
        """
        if self._restart_at is not None:
            if self._clock() >= self._restart_at:
                self.start()
        elif not self.member.is_running():
            self._note_death()

    def _note_death(self) -> None:
        now = self._clock()
        lived_shortly = now - self._started_at < QUICK_DEATH
        self._deaths = self._deaths + 1 if lived_shortly else 1
        if self._deaths >= DEATHS_ALLOWED:
            raise self._surrender()
        delay = 2 ** (self._deaths - 1)
        self._restart_at = now + delay
        say(
            f"[{self.member.name}] 종료되어 {delay}초 뒤 다시 시작합니다. "
            f"로그: {self.member.log}",
            f"[{self.member.name}] ended; starting it again in {delay} s.",
        )

    def _surrender(self) -> LocalError:
        name, log = self.member.name, self.member.log
        last = "\n".join(f"    {line}" for line in read_last_lines(log, 15))
        return LocalError(
            f"{name} ended {self._deaths} times right after its start. "
            f"The end of {log}:\n{last}",
            f"{name}이(가) 시작 직후 {self._deaths}번 종료되었습니다. 로그: {log}",
        )
