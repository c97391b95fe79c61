"""The supervisor: restarts, gives up in the end, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pingvas.local.errors import LocalError
from pingvas.local.keeper import Keeper
from pingvas.local.members import ProgramMember
from pingvas.local.programs import Program
from pingvas.local.supervisor import StopRequest, Supervisor

SLEEP = "import time; time.sleep(60)"
# Ignores SIGTERM and has a child that does so too; both write their ids.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
with open("pids", "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""


def make_member(
    folder: Path, script: str, *, name: str = "web", patience: float = 5.0
) -> ProgramMember:
    program = Program(name, (sys.executable, "-c", script), patience=patience)
    return ProgramMember(
        program,
        log=folder / f"{name}.log",
        env={"PATH": os.defpath},
        secrets={},
        cwd=folder,
    )


def is_alive(pid: int) -> bool:
    """A zombie is dead; whoever adopted it may take long to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def read_pids(path: Path, count: int) -> list[int]:
    assert wait_for(lambda: path.exists() and path.read_text().count("\n") == count)
    return [int(line) for line in path.read_text().split()]


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class DyingMember:
    """Dies whenever the test says so."""

    name = "generation"
    is_talkative = True

    def __init__(self, log: Path) -> None:
        self.log = log
        self.starts = 0
        self.alive = False

    def start(self) -> None:
        self.starts += 1
        self.alive = True

    def is_running(self) -> bool:
        return self.alive

    def stop(self, *, is_hurried: Callable[[], bool]) -> None:
        self.alive = False


def test_a_dead_program_comes_back_later_each_time(tmp_path: Path) -> None:
    clock, member = FakeClock(), DyingMember(tmp_path / "log")
    keeper = Keeper(member, clock=clock)
    keeper.start()

    for deaths, delay in ((1, 1), (2, 2), (3, 4)):
        member.alive = False
        keeper.check()
        clock.now += delay - 0.1
        keeper.check()
        assert member.starts == deaths
        clock.now += 0.1
        keeper.check()
        assert member.starts == deaths + 1


def test_a_program_that_keeps_dying_is_named_with_its_last_words(
    tmp_path: Path,
) -> None:
    clock, member = FakeClock(), DyingMember(tmp_path / "log")
    member.log.write_text("long ago\n" * 50 + "ImproperlyConfigured: no such key\n")
    keeper = Keeper(member, clock=clock)
    keeper.start()

    def die_on() -> None:
        while True:
            member.alive = False
            keeper.check()
            clock.now += 5
            keeper.check()

    with pytest.raises(LocalError, match="generation ended 4 times") as caught:
        die_on()

    assert "ImproperlyConfigured: no such key" in caught.value.english
    assert "generation" in caught.value.korean
    assert member.starts == 4


def test_a_program_that_lived_well_is_always_given_another_life(
    tmp_path: Path,
) -> None:
    clock, member = FakeClock(), DyingMember(tmp_path / "log")
    keeper = Keeper(member, clock=clock)
    keeper.start()

    for _ in range(10):
        clock.now += 60
        member.alive = False
        keeper.check()
        clock.now += 1
        keeper.check()

    assert member.starts == 11


def test_a_killed_program_is_restarted_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = StopRequest()
    supervisor = Supervisor(request)
    script = (
        "import os, time; open('pids', 'a').write(f'{os.getpid()}\\n');"
        "print('ERROR no luck', flush=True); time.sleep(60)"
    )
    supervisor.adopt([make_member(tmp_path, script)])
    killed = read_pids(tmp_path / "pids", 1)[0]
    os.kill(killed, signal.SIGKILL)

    def stop_when_back() -> None:
        if len((tmp_path / "pids").read_text().split()) == 2:
            request.count += 1

    supervisor.watch(each_round=stop_when_back)
    supervisor.stop()

    said = capsys.readouterr().out
    assert "[web] ERROR no luck" in said
    assert "[web] ended; starting it again in 1 s." in said
    assert not any(map(is_alive, read_pids(tmp_path / "pids", 2)))


def test_members_stop_in_reverse_order(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open('order', 'a').write(sys.argv[0] + NAME)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open(NAME, 'w').close()\n"
        "time.sleep(60)"
    )
    supervisor = Supervisor(StopRequest())
    names = ("postgres", "web", "beat")
    supervisor.adopt(
        [
            make_member(tmp_path, script.replace("NAME", repr(name)), name=name)
            for name in names
        ]
    )
    assert wait_for(lambda: all((tmp_path / name).exists() for name in names))

    supervisor.stop()

    assert (tmp_path / "order").read_text().replace("-c", " ").split() == [
        "beat",
        "web",
        "postgres",
    ]


def test_a_stubborn_program_is_killed_with_its_children(tmp_path: Path) -> None:
    member = make_member(tmp_path, STUBBORN, patience=0.2)
    member.start()
    pids = read_pids(tmp_path / "pids", 2)

    member.stop(is_hurried=lambda: False)

    assert wait_for(lambda: not any(map(is_alive, pids)))


def test_a_second_request_does_not_wait(tmp_path: Path) -> None:
    member = make_member(tmp_path, STUBBORN, patience=60.0)
    member.start()
    pids = read_pids(tmp_path / "pids", 2)

    started = time.monotonic()
    member.stop(is_hurried=lambda: True)

    assert time.monotonic() - started < 5
    assert wait_for(lambda: not any(map(is_alive, pids)))


def test_the_children_of_a_dead_program_do_not_meet_its_successor(
    tmp_path: Path,
) -> None:
    member = make_member(tmp_path, STUBBORN)
    member.start()
    parent, child = sorted(read_pids(tmp_path / "pids", 2))
    os.kill(parent, signal.SIGKILL)

    assert wait_for(lambda: not member.is_running())

    assert wait_for(lambda: not is_alive(child))


def test_programs_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path;"
        "from tests.local.test_supervisor import SLEEP, make_member;"
        "member = make_member(Path(sys.argv[1]), SLEEP); member.start();"
        "print(member._child.pid, flush=True); time.sleep(60)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    assert is_alive(pid)

    supervisor.kill()
    supervisor.communicate()

    assert wait_for(lambda: not is_alive(pid))
