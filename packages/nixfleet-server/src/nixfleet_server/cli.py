"""`nixfleet-server`: arguments in, exit code out; an error is one line that says what to do."""

import argparse
import sys

from sqlalchemy.exc import DatabaseError

from nixfleet_server.__about__ import __version__
from nixfleet_server.commands import config, host, migrate, password, serve, token
from nixfleet_server.errors import Busy, ConfigError, Refused

COMMANDS = (serve, host, token, password, migrate, config)
DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(
        prog="nixfleet-server",
        description="The NixFleet dashboard server. It is configured by NIXFLEET_* variables; `config` shows them.",
    )
    root.add_argument("--version", action="version", version=f"nixfleet-server {__version__}")
    subparsers = root.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(subparsers)
    return root


def main(argv: list[str] | None = None) -> int:
    """Run a command. Gives 0 done, 1 what was asked failed, 2 wrong usage or configuration."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as leaving:  # argparse has printed what is wrong
        return leaving.code if isinstance(leaving.code, int) else USAGE
    try:
        code: int = args.run(args)
    except (ConfigError, Busy) as error:
        return _fail(error, USAGE)
    except Refused as error:
        return _fail(error, FAILED)
    except DatabaseError as error:
        return _fail(f"the database refuses: {error.orig}", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _fail(error: object, code: int) -> int:
    print(f"nixfleet-server: {error}", file=sys.stderr)
    return code
