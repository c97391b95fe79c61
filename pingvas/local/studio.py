"""`make run`: servers, database, programs, and the address to open."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request

from pingvas.local.console import say, write_line
from pingvas.local.environment import Environment
from pingvas.local.errors import LocalError
from pingvas.local.files import FolderLock
from pingvas.local.home import CHECKOUT, Home
from pingvas.local.members import ProgramMember, ServerMember
from pingvas.local.ports import LOOPBACK, is_free
from pingvas.local.programs import DEMO_EMAIL, STAFF_EMAIL, STEPS, list_programs
from pingvas.local.servers import (
    LocalServers,
    check_reachable,
    choose_servers,
    describe_environment,
)
from pingvas.local.steps import run_steps
from pingvas.local.supervisor import StopRequest, Supervisor

DEFAULT_PORT = 8000
USUAL_START = 30.0


def run_studio(home: Home) -> None:
    """Run everything until a signal asks to stop.

    Raises:
        LocalError: the port is taken, another run holds the home, a server, a
            set-up command or a program failed for good. Nothing is left running.
    """
    request = StopRequest()
    request.listen()
    port = read_port(os.environ.get("PORT", ""))
    lock = take_lock(home, f"make run, pid {os.getpid()}, port {port}")
    supervisor = Supervisor(request)
    try:
        check_port(port)
        servers = choose_servers(home, os.environ)
        announce_quarters(servers)
        warn_of_old_redis(servers)
        if servers.embedded():
            say("서버를 시작합니다.", "Starting the servers.")
        supervisor.adopt([ServerMember(server) for server in servers.embedded()])
        if not request.is_made():
            environment = describe_environment(home, servers, os.environ)
            _run_programs(home, port, servers, environment, supervisor, request)
    finally:
        supervisor.stop()
        lock.release()
    say("모두 종료했습니다.", "Everything has stopped.")


def _run_programs(
    home: Home,
    port: int,
    servers: LocalServers,
    environment: Environment,
    supervisor: Supervisor,
    request: StopRequest,
) -> None:
    say("데이터베이스를 준비합니다.", "Preparing the database.")
    run_steps(
        STEPS,
        environment,
        embedded=servers.postgres is not None,
        log=home.log("setup"),
        is_stopping=request.is_made,
    )
    if request.is_made():
        return
    check_reachable(environment)
    say("웹과 작업 프로세스를 시작합니다.", "Starting the web process and workers.")
    env = {**environment.common, "PORT": str(port)}
    supervisor.adopt(
        [
            ProgramMember(
                program,
                log=home.log(program.name),
                env=env,
                secrets=environment.privileged,
                cwd=CHECKOUT,
            )
            for program in list_programs(port)
        ]
    )
    supervisor.watch(each_round=_Announcement(port, servers, environment))


def read_port(value: str) -> int:
    """Return the web port that PORT names, 8000 by default.

    Raises:
        LocalError: it is no port.
    """
    port = int(value) if value.isascii() and value.isdecimal() else 0
    if value and not 0 < port < 65536:
        raise LocalError(
            f"PORT must be a number from 1 to 65535, not {value!r}.",
            f"PORT는 1에서 65535 사이의 숫자여야 합니다: {value!r}",
        )
    return port or DEFAULT_PORT


def check_port(port: int) -> None:
    """Raise LocalError when another program listens on `port`."""
    if not is_free(port):
        raise LocalError(
            f"Port {port} is taken by another program. Stop that one, or choose "
            f"another port: PORT={port + 1} make run",
            f"포트 {port}을(를) 다른 프로그램이 쓰고 있습니다. 그 프로그램을 "
            f"종료하거나 다른 포트를 고르세요: PORT={port + 1} make run",
        )


def take_lock(home: Home, note: str) -> FolderLock:
    """Hold `home` for this process.

    Raises:
        LocalError: another process holds it; named by its own note.
    """
    lock = home.lock
    if not lock.acquire(note=note):
        raise LocalError(
            f"The studio already runs in this folder ({lock.note()}). Use that one, "
            "or stop it first.",
            f"이 폴더에서 이미 실행 중입니다 ({lock.note()}). 그것을 쓰거나 먼저 "
            "종료하세요.",
        )
    return lock


def announce_quarters(servers: LocalServers) -> None:
    """Name the folder outside the checkout where PostgreSQL had to go, if any."""
    if servers.postgres is not None and servers.postgres.notice:
        say(
            f"데이터베이스 폴더: {servers.postgres.notice} (root로 실행 중이며 이 폴더"
            "에서는 사용자 네임스페이스를 쓸 수 없음)",
            f"The database lies in {servers.postgres.notice}: PostgreSQL refuses to "
            "run as root, and no user namespace can be used for this folder.",
        )


def warn_of_old_redis(servers: LocalServers) -> None:
    """Say so when no Redis was found that is free of known holes."""
    if servers.redis is not None and servers.redis.program.is_old:
        version = ".".join(map(str, servers.redis.program.version))
        say(
            f"Redis {version}은(는) 오래되어 알려진 보안 결함이 있습니다: Redis 7.0.15 "
            "이상을 설치하면 그것을 씁니다.",
            f"Redis {version} is old and has known holes: install 7.0.15 or newer, and "
            "it is taken.",
        )


class _Announcement:
    """Prints the address and the accounts once, when the web process is ready."""

    def __init__(
        self, port: int, servers: LocalServers, environment: Environment
    ) -> None:
        self._url = f"http://{LOOPBACK}:{port}"
        self._embedded = servers.postgres is not None
        self._environment = environment
        self._started_at = time.monotonic()
        self._next_look = 0.0
        self._is_done = False

    def __call__(self) -> None:
        now = time.monotonic()
        if self._is_done or now < self._next_look:
            return
        if is_ready(f"{self._url}/readyz"):
            self._is_done = True
            self._announce()
        elif now - self._started_at < USUAL_START:
            self._next_look = now + 0.5
        else:
            # A database that is away holds each question for seconds.
            self._next_look = now + 15
            say(
                f"아직 준비되지 않았습니다: {self._url}/readyz (로그: .pingvas/log/)",
                f"Not ready yet: see {self._url}/readyz and .pingvas/log/",
            )

    def _announce(self) -> None:
        say(f"Pingvas 준비 완료: {self._url}", f"Pingvas is ready: {self._url}")
        if self._embedded:
            known = self._environment.privileged
            write_line(f"  데모 / demo    {DEMO_EMAIL}    {known['DEMO_PASSWORD']}")
            write_line(f"  직원 / staff   {STAFF_EMAIL}   {known['STAFF_PASSWORD']}")
        say("종료: Ctrl-C", "Stop with Ctrl-C. Logs: .pingvas/log/")


def is_ready(url: str) -> bool:
    """Whether a GET of `url` is answered by 200 within 2 seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - http
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
