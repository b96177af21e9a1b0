"""`nixfleet-server`: arguments in, exit code out; an error is one line that says what to do."""

import argparse
import os
import sys
from importlib import import_module

from nixfleet_server.__about__ import __version__
from nixfleet_server.errors import Busy, ConfigError, Refused

COMMANDS = {
    "serve": ("serve", "Run the server until it is told to stop (SIGTERM, Ctrl-C)."),
    "host": ("host", "Add, list and remove hosts, and give them new tokens."),
    "token": ("token", "Add, list and remove API tokens."),
    "hash-password": (
        "password",
        "Hash a password for NIXFLEET_PASSWORD_HASH; asks for it, or reads one line from standard input.",
    ),
    "totp": ("totp", "Turn the second factor on or off, or make new recovery codes."),
    "reset-login": (
        "reset_login",
        "Forget the login's password and second factor, end all sessions, and print a set-up link.",
    ),
    "enroll-token": ("enroll_token", "Make a one-time token that lets one agent in and adds its host."),
    "doctor": ("doctor", "Check configuration, data directory, database and the server that runs."),
    "migrate": ("migrate", "Bring the database to this version's schema; serve does so by itself."),
    "backup": (
        "backup",
        "Write the database, the logs and the secrets into one file, also while the server runs.",
    ),
    "restore": ("restore", "Go back to a backup; a server that runs goes on with it."),
    "health": (
        "health",
        "Ask the server on this machine whether it is ready (/readyz); for container health checks.",
    ),
    "config": ("config", "Check the configuration and show what is in effect; secrets stay hidden."),
}
"""Command → its module in `commands`, and what it does. Only the module of the command given is imported: the database
alone takes a second to load, and --help and hash-password need none."""
DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The command line, with the arguments of the chosen command."""
    root = argparse.ArgumentParser(
        prog="nixfleet-server",
        description="The NixFleet dashboard server. It is configured by NIXFLEET_* variables; `config` shows them.",
    )
    root.add_argument("--version", action="version", version=f"nixfleet-server {__version__}")
    subparsers = root.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = subparsers.add_parser(name, help=text, description=text)
        if name == chosen:
            import_module(f"nixfleet_server.commands.{module}").add(command)
    return root


def main(argv: list[str] | None = None) -> int:
    """Run a command. Gives 0 done, 1 what was asked failed, 2 wrong usage or configuration."""
    os.umask(0o077)  # what we make, as the database with its companions, is for this user only
    try:
        words = sys.argv[1:] if argv is None else argv
        chosen = next((word for word in words if not word.startswith("-")), None)
        args = parser(chosen).parse_args(words)
    except SystemExit as leaving:  # argparse has printed what is wrong
        return leaving.code if isinstance(leaving.code, int) else USAGE
    try:
        code: int = args.run(args)
    except (ConfigError, Busy) as error:
        return _fail(error, USAGE)
    except Refused as error:
        return _fail(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        from sqlalchemy.exc import DatabaseError  # only now, see COMMANDS

        if not isinstance(error, DatabaseError):
            raise
        return _fail(f"the database refuses: {error.orig}", FAILED)
    return code


def _fail(error: object, code: int) -> int:
    print(f"nixfleet-server: {error}", file=sys.stderr)
    return code
