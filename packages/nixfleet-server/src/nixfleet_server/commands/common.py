"""What the administration commands share."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from nixfleet_protocol.cli.terminal import clean
from nixfleet_server.errors import Busy, ConfigError, Refused
from nixfleet_server.lock import make_data_dir, owner
from nixfleet_server.migrations import HEAD
from nixfleet_server.settings import Settings, load
from nixfleet_server.store.database import Database, open_database
from nixfleet_server.store.schema import migrate, version

Run = Callable[[argparse.Namespace], int]
START_WAIT = 10.0
"""Seconds to wait for a server that is just migrating."""


def action(
    actions: Any, name: str, run: Run, help: str, *, json_output: bool = False
) -> argparse.ArgumentParser:
    """Add one action of a command, as `add` of `host`."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=help, description=help)
    return complete(parser, run, json_output=json_output)


def complete(
    parser: argparse.ArgumentParser, run: Run, *, json_output: bool = False
) -> argparse.ArgumentParser:
    """Give a command the options all of them take, and what it runs."""
    parser.add_argument(
        "--data-dir", metavar="DIR", help="directory of the database and the logs (NIXFLEET_DATA_DIR)"
    )
    if json_output:
        parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def settings_of(args: argparse.Namespace) -> Settings:
    """The configuration with the command line's options on top. Raises ConfigError."""
    return load(data_dir=args.data_dir, listen=getattr(args, "listen", None))


def open_store(args: argparse.Namespace, *, may_make: bool = False) -> Database:
    """The database at this version's schema, whether a server runs on it or not.

    Raises ConfigError when there is none, unless `may_make`: in a wrong directory a new, empty one would look as if
    everything were gone.
    """
    settings = settings_of(args)
    file = Path(settings.database.removeprefix("sqlite:///")).absolute()
    if not file.exists():
        if not may_make:
            raise ConfigError(
                f"there is no database {file}: is NIXFLEET_DATA_DIR (or --data-dir) the server's?"
            )
        print(f"making a new database: {file}", file=sys.stderr)
    make_data_dir(settings.data_dir)
    database = open_database(settings.database)
    if version(database) == HEAD:
        return database
    try:
        with owner(settings.data_dir, START_WAIT):
            migrate(database)
    except Busy:
        if version(database) != HEAD:
            raise Refused("the server that runs here is of another version: restart it first") from None
    return database


def show_json(value: Any) -> None:
    """Print a value as JSON, ASCII only: whatever a host sent, the terminal stays as it is."""
    print(json.dumps(value, indent=2))


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print aligned columns. What hosts said of themselves may stand in them: none of it writes to the terminal."""
    rows = [[clean(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(at: int | None) -> str:
    """A time for people, in their time zone."""
    return (
        "never"
        if at is None
        else datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    )
